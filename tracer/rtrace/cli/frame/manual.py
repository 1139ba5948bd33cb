"""The manual pages, made of what the commands say of themselves: man(7), a page for rtrace and one for each command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import click

from rtrace import __version__
from rtrace.cli.frame.command import RtraceCommand, list_options
from rtrace.cli.frame.commands import COMMANDS, GROUPS, LazyGroup

_CODE = re.compile("`([^`]+)`")
_NOT_ASCII = re.compile("[^\x00-\x7e]")


def render_pages(group: LazyGroup) -> dict[str, str]:
    """Return the pages by the names of their files: `rtrace.1`, `rtrace-trace.1` ..."""
    context = click.Context(group, info_name="rtrace", **group.context_settings)
    pages = {"rtrace.1": "\n".join(_render_group(group, context)) + "\n"}
    for name, summary in COMMANDS.items():
        command = group.get_command(context, name)
        if isinstance(command, RtraceCommand):
            own = click.Context(command, info_name=name, parent=context, **command.context_settings)
            pages[f"rtrace-{name}.1"] = "\n".join(_render_command(command, own, name, summary)) + "\n"
    return pages


def _render_group(group: LazyGroup, context: click.Context) -> Iterator[str]:
    """Write the page of all commands."""
    yield from _render_head("rtrace", "record a run, and replay it elsewhere")
    yield from _render_synopsis(group, context)
    yield ".SH DESCRIPTION"
    yield from _render_text(group.help or "")
    yield ".SH COMMANDS"
    for title, commands in GROUPS.items():
        yield f".SS {_escape(title)}"
        for name, summary in commands.items():
            yield from _render_item(rf"\fBrtrace\-{_escape(name)}\fR(1)", summary)
    yield from _render_ending(group, context, group.statuses, group.examples)
    yield ".SH SEE ALSO"
    yield ", ".join(rf"\fBrtrace\-{_escape(name)}\fR(1)" for name in COMMANDS)


def _render_command(command: RtraceCommand, context: click.Context, name: str, summary: str) -> Iterator[str]:
    """Write the page of a command."""
    yield from _render_head(f"rtrace-{name}", summary[0].lower() + summary[1:].rstrip("."))
    yield from _render_synopsis(command, context)
    yield ".SH DESCRIPTION"
    yield from _render_text(command.help or "")
    yield from _render_ending(command, context, command.statuses, command.examples)
    yield ".SH SEE ALSO"
    yield r"\fBrtrace\fR(1)"


def _render_head(name: str, summary: str) -> Iterator[str]:
    """Write the title without a date, so that the same sources make the same page."""
    yield f'.TH "{_escape(name.upper())}" "1" "" "rtrace {_escape(__version__)}" "Rtrace Manual"'
    yield ".SH NAME"
    yield rf"{_escape(name)} \- {_format(summary)}"


def _render_synopsis(command: click.Command, context: click.Context) -> Iterator[str]:
    """Write how a command is called."""
    yield ".SH SYNOPSIS"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield rf"\fB{_escape(context.command_path)}\fR {_escape(pieces)}"


def _render_text(text: str) -> Iterator[str]:
    """Write a command's help, a paragraph each."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        yield _format(" ".join(paragraph.split()))


def _render_ending(
    command: click.Command, context: click.Context, statuses: Mapping[str, str], examples: Iterable[str]
) -> Iterator[str]:
    """Write options, exit statuses and examples."""
    own, shared = list_options(command, context)
    for title, records in (("OPTIONS", own), ("OPTIONS OF ALL COMMANDS", shared)):
        if records:
            yield f".SH {title}"
        for names, text in records:
            yield from _render_item(rf"\fB{_escape(names)}\fR", text)
    yield ".SH EXIT STATUS"
    for status, meaning in statuses.items():
        yield from _render_item(_escape(status), meaning)
    yield ".SH EXAMPLES"
    yield from (".EX", *(_escape(line) for line in examples), ".EE")


def _render_item(term: str, text: str) -> Iterator[str]:
    """Write a term with its explanation."""
    yield ".TP"
    yield term
    yield _format(" ".join(text.split()))


def _format(text: str) -> str:
    """Return a line of text in which what is typed is bold."""
    parts = _CODE.split(text)  # every second one is typed
    return "".join(rf"\fB{_escape(part)}\fR" if place % 2 else _escape(part) for place, part in enumerate(parts))


def _escape(text: str) -> str:
    """Return text that troff shows as it is; see groff_char(7)."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("^", r"\(ha")
    escaped = escaped.replace("~", r"\(ti").replace('"', r"\(dq").replace("`", r"\(ga")
    escaped = _NOT_ASCII.sub(lambda match: rf"\[u{ord(match[0]):04X}]", escaped)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
