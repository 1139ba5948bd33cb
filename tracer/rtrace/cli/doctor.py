"""``rtrace doctor``: what works here, and what killed processes left."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import give_json, say, show
from rtrace.operations.doctor import clean_all, examine, find_all

FORMAT = 1


@click.command(cls=RtraceCommand, examples=("rtrace doctor", "rtrace doctor --clean"))
@click.option("--clean", is_flag=True, help="Remove what killed processes of rtrace left.")
@JSON
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
def command(folders: tuple[Path, ...], *, clean: bool, as_json: bool) -> None:
    """Tell what of rtrace works on this machine, by trying it, and what killed processes of rtrace left behind.

    Looks for leftovers in the folders named [default: the current one], in the one for temporary files, and where
    unpackers keep things. Only what belongs to you and whose maker is dead counts; root looks only where nobody else
    can exchange things. Nothing is changed without --clean.
    """
    places = folders or (Path(),)
    told = clean_all(places) if clean else ()
    leftovers = find_all(places)
    abilities = tuple(examine())
    if as_json:
        answer = {
            "format": FORMAT,
            "abilities": [asdict(ability) for ability in abilities],
            "leftovers": leftovers,
            "cleaned": told,
        }
        give_json(answer)
        return
    for ability in abilities:
        detail = f": {ability.detail}" if ability.detail else ""
        show(f"{'yes' if ability.works else 'no':3}  {ability.name}{detail}")
    for name in leftovers:
        show(f"left by a killed process: {name}")
    for sentence in told:
        say(sentence)
    if leftovers and not clean:
        say("`rtrace doctor --clean` removes what killed processes left")
