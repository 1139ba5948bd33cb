"""The reference of the commands, from what click knows of them: what `--help` prints, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent

import click

# A blank line, and then `\b`, before a paragraph whose line breaks click keeps.
_KEEP_LINES = "\b"


def render_commands(group: click.Group) -> str:
    """Return a section for each command of the group, in the order of its `--help`."""
    context = click.Context(group, info_name="rtrace")
    return "\n\n".join(
        render_command(command, name)
        for name in group.list_commands(context)
        if (command := group.get_command(context, name)) is not None and not command.hidden
    )


def render_command(command: click.Command, name: str) -> str:
    """Return the section of one command: its usage, its text and a table of its options."""
    context = click.Context(command, info_name=f"rtrace {name}")
    usage = " ".join([f"rtrace {name}", *command.collect_usage_pieces(context)])
    parts = [f"## {name}", f"```text\n{usage}\n```", *_paragraphs(command.help or "")]
    if rows := list(_rows(command, context)):
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    parts += _paragraphs(command.epilog or "")
    return "\n\n".join(parts)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those whose line breaks count become blocks of literal text."""
    for paragraph in dedent(text).strip().split("\n\n"):
        if paragraph.startswith(_KEEP_LINES):
            yield f"```text\n{dedent(paragraph.removeprefix(_KEEP_LINES)).strip(chr(10))}\n```"
        elif paragraph:
            yield escape(" ".join(paragraph.split()))


def _rows(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield a row for each option that `--help` shows."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None and "--help" not in parameter.opts:  # each command has that
            names, meaning = record
            yield f"| `{names.replace('|', chr(92) + '|')}` | {escape(' '.join(meaning.split()))} |"


def escape(text: str) -> str:
    """Return prose as Markdown that shows the same characters; what stands in backquotes stays code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_\[\]<>|{}#])", r"\\\1", part) for part in parts)
