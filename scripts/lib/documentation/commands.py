"""The reference of the commands, from what click knows of them: what `--help` prints, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import dedent

import click

# A line before a paragraph whose line breaks click keeps.
_KEEP_LINES = "\b"


def render_commands(group: click.Group, titles: Mapping[str, Iterable[str]]) -> str:
    """Return a section for each command of the group, under the titles of its `--help`, and one for shared options."""
    context = click.Context(group, info_name="rtrace")
    shared = {option for parameter in group.params for option in parameter.opts} | {"--help"}
    parts = []
    for title, names in titles.items():
        commands = {name: group.get_command(context, name) for name in names}
        parts.append(f"## {title}")
        parts += [render_command(command, name, shared) for name, command in commands.items() if command is not None]
    parts.append("## Options of all commands")
    parts += _table("option", _options(group, context, set()))
    return "\n\n".join(parts)


def render_command(command: click.Command, name: str, shared: set[str]) -> str:
    """Return the section of one command: its usage, its text, and tables of its own options and exit statuses."""
    context = click.Context(command, info_name=f"rtrace {name}")
    usage = " ".join([f"rtrace {name}", *command.collect_usage_pieces(context)])
    parts = [f"### {name}", f"```text\n{usage}\n```", *_paragraphs(command.help or "")]
    parts += _table("option", _options(command, context, shared))
    parts += _table("exit status", getattr(command, "statuses", {}).items())
    if examples := getattr(command, "examples", ()):
        parts.append("```console\n" + "\n".join(f"$ {line}" for line in examples) + "\n```")
    return "\n\n".join(parts)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those whose line breaks count become blocks of literal text."""
    for paragraph in dedent(text).strip().split("\n\n"):
        if paragraph.startswith(_KEEP_LINES):
            lines = paragraph.removeprefix(_KEEP_LINES)
            yield f"```text\n{dedent(lines).strip(chr(10))}\n```"
        elif paragraph:
            yield escape(" ".join(paragraph.split()))


def _options(command: click.Command, context: click.Context, without: set[str]) -> Iterator[tuple[str, str]]:
    """Yield name and meaning of each option that `--help` shows, but for those named."""
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not without & set(parameter.opts):
            record = parameter.get_help_record(context)
            if record is not None:
                yield record


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a table of two columns, code and prose, if there is anything in it."""
    lines = [f"| `{names.replace('|', chr(92) + '|')}` | {escape(' '.join(text.split()))} |" for names, text in rows]
    if lines:
        yield "\n".join([f"| {title} | meaning |", "|---|---|", *lines])


def escape(text: str) -> str:
    """Return prose as Markdown that shows the same characters; what stands in backquotes stays code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_\[\]<>|{}#])", r"\\\1", part) for part in parts)
