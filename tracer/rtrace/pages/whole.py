"""A page that is one file: its style is in it, it runs nothing and asks for nothing, and it is written whole.

The policy allows the style that is in the page, by its digest, and pictures that are in it; so what a stranger wrote
would do nothing even if it were not escaped. https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NewType

from rtrace.pages.rendering import make_environment

STYLES = ("style.css", "whole.css")
Part = NewType("Part", str)
"""A part of a page, in which everything is escaped already: a template puts it in with the filter `safe`."""

_templates = cache(make_environment)


def make_page(template: str, **values: object) -> bytes:
    """Return a page made from a template that extends `whole.html`, in UTF-8.

    What is no character (a byte that was not UTF-8) comes out as a backslash escape.
    """
    style = "".join(files("rtrace.pages").joinpath("static", name).read_text("utf-8") for name in STYLES)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    page = _templates().get_template(template).render({**values, "style": style, "policy": policy})
    return page.encode("utf-8", "backslashreplace")


def make_part(template: str, **values: object) -> Part:
    """Return a part of a page, made from a template by itself."""
    return Part(_templates().get_template(template).render(values))
