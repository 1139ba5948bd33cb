"""``rtrace targets``: what was unpacked where."""

from __future__ import annotations

import click

from rtrace.answers.targets import answer_targets
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.errors import TargetError
from rtrace.files.folders import has_descriptors
from rtrace.operations.exchange.known import Known, list_targets
from rtrace.operations.history.moments import write_moment
from rtrace.printable import format_size
from rtrace.replay.register import find_register

COLUMNS = (
    Column("STATE"),
    Column("UNPACKER"),
    Column("MADE"),
    Column("SIZE", numbers=True),
    Column("BUNDLE"),
    Column("PATH"),
)


@click.command(cls=RtraceCommand, examples=("rtrace targets", "rtrace targets --size"))
@JSON
@click.option("--size", "sizes", is_flag=True, help="Tell how much room their folders take, which may take a while.")
def command(*, as_json: bool, sizes: bool) -> None:
    """List the targets that you unpacked: whether they are whole, with what, when, of which bundle, and where.

    A target that is gone, or whose folder is another target now, is told once, and forgotten. What was unpacked with
    another XDG_STATE_HOME is not known.
    """
    if not has_descriptors():
        raise TargetError("targets cannot be used on this system, so none are known; use Linux or macOS")
    forgotten: list[str] = []
    try:
        known = list_targets(forgotten.append, sizes=sizes)
    except OSError as error:
        raise TargetError(f"cannot read {find_register()}: {error.strerror}; check its permissions") from None
    if as_json:
        give_json(answer_targets(known, forgotten))
        return
    for sentence in forgotten:
        say(sentence)
    show_table(COLUMNS, lambda: [describe(one) for one in known])
    for one in known:
        if one.problem is not None:
            warn(one.problem)
    if not known:
        say("no targets are known; `rtrace unpack` makes some")


def describe(one: Known) -> tuple[str, ...]:
    """Return a target as a row for a person."""
    size = "-" if one.size is None else format_size(one.size)
    made = write_moment(int(one.entry.made * 1_000_000))
    return one.state, one.entry.unpacker, made, size, one.entry.bundle, str(one.entry.path)
