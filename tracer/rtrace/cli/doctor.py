"""``rtrace doctor``: what works here, and what killed processes left."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.machine import answer_doctor
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import give_json, say, show
from rtrace.operations.doctor import clean_all, examine, find_all

TITLES = {
    "record": "To record runs",
    "replay": "To replay them",
    "files": "Files and folders",
    "packages": "Packages",
}
"""The parts of the answer, in their order."""


@click.command(cls=RtraceCommand, examples=("rtrace doctor", "rtrace doctor --clean"))
@click.option("--clean", is_flag=True, help="Remove what killed processes of rtrace left.")
@JSON
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
def command(folders: tuple[Path, ...], *, clean: bool, as_json: bool) -> None:
    """Show what works on this machine, by trying it, and what killed processes of rtrace left behind.

    Looks for leftovers in the folders named [default: the current one], in the one for temporary files, and where
    unpackers keep things. Only what belongs to you and whose maker is dead counts; root looks only where nobody else
    can exchange things. Nothing is changed without --clean.
    """
    places = folders or (Path(),)
    told = clean_all(places) if clean else ()
    abilities = examine()
    leftovers = find_all(places)
    if as_json:
        give_json(answer_doctor(abilities, leftovers, told))
        return
    for part, title in TITLES.items():
        show(f"{title}:")
        for ability in abilities:
            if ability.part == part:
                detail = f": {ability.detail}" if ability.detail else ""
                verdict = f"  {'yes' if ability.works else 'no':3}"
                show(f"  {ability.name}{detail}", verdict=verdict, color="green" if ability.works else "yellow")
    for name in leftovers:
        show(f"left by a killed process: {name}")
    for sentence in told:
        say(sentence)
    if leftovers and not clean:
        say("`rtrace doctor --clean` removes what killed processes left")
