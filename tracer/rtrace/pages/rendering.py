"""Pages out of templates, everything escaped. The one door to Jinja."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jinja2

from rtrace import __version__
from rtrace.operations.history.moments import write_zone
from rtrace.pages.values import (
    shorten_lines,
    shorten_text,
    show_command,
    show_duration,
    show_lines,
    show_microseconds,
)
from rtrace.printable import count, format_size, printable_text

if TYPE_CHECKING:
    from collections.abc import Mapping


MOST_VALUE = 500
"""Characters of a value in an address."""


def make_environment(*packages: str) -> jinja2.Environment:
    """Return what renders the templates of packages, and those that all share.

    Everything is escaped in all of them, and a name that nobody gave is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in (*packages, "rtrace.pages")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        command=show_command,
        count=count,
        duration=show_duration,
        line=printable_text,
        lines=show_lines,
        query=write_query,
        short=shorten_text,
        text=shorten_lines,
        size=format_size,
        when=show_microseconds,
    )
    environment.globals.update(version=__version__, zone=write_zone)
    return environment


def write_query(values: Mapping[str, object], **changed: object) -> str:
    """Return the part of an address behind the question mark: what has a value, with some exchanged."""
    given = {**values, **changed}
    cut = {name: str(value)[:MOST_VALUE] for name, value in given.items() if value not in {None, ""}}
    return urlencode(cut, errors="replace")
