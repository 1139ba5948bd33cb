"""Files of a target as rows for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.cli.terminal.speaking import warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.printable import format_size, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.operations.exchange.states import FileState

COLUMNS = (Column("STATE"), Column("SIZE", numbers=True), Column("NAME"), Column("PATH"), Column("FROM"))


def show_files(states: Sequence[FileState]) -> None:
    """Write files with their state as a table, or a line each; say of which ones the content is not in the bundle."""
    show_table(COLUMNS, lambda: [describe_file(one) for one in states])
    for one in states:
        if one.file.content == "placeholder" and one.state == "original":
            warn(f"{one.file.name}: the bundle holds only its size, for no run needed its content")
        elif one.file.content == "elsewhere":
            warn(f"{one.file.name}: its content is not in the bundle; --fetch or --from gets it from elsewhere")


def describe_file(one: FileState) -> tuple[str, ...]:
    """Return a file as a row for a person."""
    size = "-" if one.size is None else format_size(one.size)
    uploaded = one.upload.source if one.upload is not None and one.state == "replaced" else "-"
    return one.state, size, one.file.name, printable(one.path), uploaded
