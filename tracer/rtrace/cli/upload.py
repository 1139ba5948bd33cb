"""``rtrace upload``: replace an input of a target, or bring back the packed one."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.targets import answer_upload
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import BUNDLE, FETCH, FROM, JSON
from rtrace.cli.options.completing import complete_targets, complete_uploads
from rtrace.cli.terminal.file_table import show_files
from rtrace.cli.terminal.speaking import give_json, say
from rtrace.elsewhere.sources import Sources
from rtrace.opening import open_bundle
from rtrace.operations.exchange.bundles import find_bundle
from rtrace.operations.exchange.names import list_inputs
from rtrace.operations.exchange.notes import peek
from rtrace.operations.exchange.settling import open_settled, settled_notes
from rtrace.operations.exchange.states import list_states
from rtrace.operations.exchange.uploading import parse_request, upload
from rtrace.printable import format_size, shell_word

_SEPARATOR, _INPUT = "--", "-:"


class UploadCommand(RtraceCommand):
    """A command among whose arguments may be `-:NAME`, which looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put such arguments behind two hyphens, where click takes them for what they are."""
        place = args.index(_SEPARATOR) if _SEPARATOR in args else len(args)
        moved = [word for word in args[:place] if word.startswith(_INPUT)]
        if moved:
            others = [word for word in args[:place] if not word.startswith(_INPUT)]
            args = [*others, _SEPARATOR, *args[place + 1 :], *moved]
        return super().parse_args(ctx, args)


@click.command(
    cls=UploadCommand,
    examples=(
        "rtrace upload target",
        "rtrace upload target my-data.csv:data.csv",
        "rtrace upload target :data.csv",
    ),
)
@JSON
@BUNDLE
@FETCH
@FROM
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_targets)
@click.argument("requests", metavar="[FILE:NAME | :NAME]...", nargs=-1, shell_complete=complete_uploads)
def command(
    target: Path,
    requests: tuple[str, ...],
    *,
    as_json: bool,
    named: Path | None,
    fetch: bool,
    folders: tuple[Path, ...],
) -> None:
    """Put FILE in the place of the input NAME of TARGET; `:NAME` brings the packed one back.

    With nothing else than TARGET, the inputs are listed: `original` is as packed, `replaced` as uploaded, `changed` was
    written by a run, `missing` was removed by one. NAME is the name of an input or an output, or the absolute path of a
    packed file. FILE may be `-`, for standard input. The file keeps its owner and permissions, and its time is now.

    Replays use what was uploaded until `rtrace reset`.
    """
    opened_target = open_settled(target, say)
    bundle = find_bundle(target, named)
    with open_bundle(bundle) as opened:
        if not requests:
            states = list_states(opened_target, opened, list_inputs(opened), peek(target))
        else:
            parsed = [parse_request(opened, text) for text in requests]
            with settled_notes(opened_target, say) as notes:
                states = upload(opened_target, opened, notes, parsed, Sources(folders, fetch))
    if as_json:
        give_json(answer_upload(target, states))
    elif not requests:
        show_files(states)
        if not states:
            say(f"the runs of {target} have no inputs with a name; any packed file can be replaced by its path")
    else:
        for one in states:
            what = "is the packed one again" if one.upload is None else f"is {one.upload.source} now"
            say(f"{one.file.name} {what} ({format_size(one.size or 0)}); `rtrace replay {shell_word(target)}` uses it")
