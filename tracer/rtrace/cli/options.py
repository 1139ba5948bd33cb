"""Options and small things that several commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from rtrace.bundle.entry import Entry
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.trace.directory import DEFAULT_NAME, TraceDirectory

DIRECTORY = click.option(
    "-d",
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path(DEFAULT_NAME),
    show_default=True,
    help="The trace directory.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs to read.")
UNPACKER = click.option("--unpacker", "unpacker_name", default="chroot", show_default=True, help="What to replay with.")

FETCH = click.option(
    "--fetch", is_flag=True, help="Fetch content that is not in the bundle from the URLs that its author named."
)
FROM = click.option(
    "--from",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder that has such content, by the file's name, path or SHA-256.",
)

SIZE_LETTERS = "_KMGT"


def parse_size(text: str) -> int:
    """Read a number of bytes, with K, M, G or T behind it for powers of 1024."""
    digits, factor = text.upper(), 1
    if digits[-1:] in SIZE_LETTERS and digits:
        digits, factor = digits[:-1], 1024 ** SIZE_LETTERS.index(digits[-1])
    if not (digits.isascii() and digits.isdigit()):
        raise click.BadParameter(f"{text!r} is no size; write a number of bytes, or one as 256M")
    return int(digits) * factor


def describe_kind(entry: Entry) -> str:
    """Name the kind of an entry in a word, and that its content is not in the bundle."""
    if entry.placeholder:
        return "outline"
    return "elsewhere" if entry.elsewhere else entry.type.value


def say(message: str) -> None:
    """Tell something on standard error: standard output is for programs and for requested data."""
    click.echo(f"rtrace: {message}", err=True)


def tell_settled(*traces: TraceDirectory) -> None:
    """Put trace directories in order that a killed process of rtrace left, with what it left beside them; say so."""
    from rtrace.trace.place import settle

    for trace in traces:
        for sentence in settle(trace):
            say(sentence)
    tell_cleaned(*(trace.path.parent for trace in traces))


def tell_cleaned(*folders: Path) -> tuple[Path, ...]:
    """Remove what killed processes of rtrace left in folders, say so, and return what it was."""
    from rtrace.workspaces import clean_folder

    gone = tuple(path for folder in dict.fromkeys(folders) for path in clean_folder(folder))
    for path in gone:
        say(f"removed {printable(os.fsencode(path))}, which a killed process of rtrace had left")
    return gone


class TerminalProgress:
    """Draws a bar on standard error, for tasks that take a while."""

    def __init__(self) -> None:
        """Begin with no bar."""
        self.bar: click._termui_impl.ProgressBar[int] | None = None

    def start(self, task: str, total: int) -> None:
        """Draw the bar of a task of ``total`` units."""
        import shutil

        self.finish()
        width = max(10, min(40, shutil.get_terminal_size().columns - len(task) - 30))
        self.bar = click.progressbar(length=total, label=task, file=sys.stderr, width=width)
        self.bar.__enter__()

    def advance(self, amount: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(amount)

    def finish(self) -> None:
        """End the bar's line."""
        if self.bar is not None:
            self.bar.__exit__(None, None, None)
            self.bar = None


def progress() -> Progress:
    """Return what to report to: a bar on a terminal, nobody elsewhere."""
    return TerminalProgress() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else SILENT
