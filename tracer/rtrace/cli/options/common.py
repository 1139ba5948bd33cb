"""Options and small things that several commands share."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.bundle.entry import Entry
from rtrace.cli.options.completing import AUTO, complete_unpackers
from rtrace.trace import DEFAULT_NAME

DIRECTORY = click.option(
    "-d",
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path(DEFAULT_NAME),
    show_default=True,
    help="The trace directory.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
JSON_LAST = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, as the last line on standard error.")
UNPACKER = click.option(
    "--unpacker",
    "unpacker_name",
    metavar="UNPACKER",
    default=AUTO,
    show_default=True,
    shell_complete=complete_unpackers,
    help="What to replay with: auto takes namespaces, else an engine, else proot.",
)

EMULATE = click.option("--emulate", is_flag=True, help="Let an emulator run programs for another kind of processor.")
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

FREEZE = click.option(
    "--freeze",
    is_flag=True,
    help="Pin what a program finds by chance: hash seeds, threads, and where it can be, time and random numbers.",
)

BUNDLE = click.option(
    "--bundle",
    "named",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The bundle that TARGET was made of.  [default: the one kept in TARGET]",
)

SIZE_LETTERS = "_KMGT"


def read_patterns(_context: click.Context, option: click.Parameter, patterns: tuple[str, ...]) -> tuple[bytes, ...]:
    """Read the patterns of an option. An empty one, as an unset variable makes it, would match everything."""
    if "" in patterns:
        raise click.BadParameter("a pattern must not be empty; write ** for everything", param=option)
    return tuple(map(os.fsencode, patterns))


def parse_size(text: str) -> int:
    """Read a number of bytes, with K, M, G or T behind it for powers of 1024."""
    digits, factor = text.upper(), 1
    if digits[-1:] in SIZE_LETTERS and digits:
        digits, factor = digits[:-1], 1024 ** SIZE_LETTERS.index(digits[-1])
    if not (digits.isascii() and digits.isdigit()):
        raise click.BadParameter(f"{text!r} is not a size; write bytes, or for example 256M")
    return int(digits) * factor


def describe_kind(entry: Entry) -> str:
    """Return the kind of an entry in a word; `placeholder` or `elsewhere` where its content is not in the bundle."""
    if entry.placeholder:
        return "placeholder"
    return "elsewhere" if entry.elsewhere else entry.type.value


def fill_standard_streams() -> None:
    """Open the null device where standard input, output or error is closed, before another file gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # EBADF
            os.open(os.devnull, os.O_RDWR)
