"""How Sphinx builds the site: `scripts/docs`. The reference of commands and manifest is made from the code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sphinx.application import Sphinx

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / folder) for folder in ("tracer", "unpackers", "scripts/lib")]

import rtrace  # noqa: E402
from documentation.commands import render_commands  # noqa: E402 - found by the path above
from documentation.inclusion import fill_in  # noqa: E402
from documentation.schema import render_schema  # noqa: E402

project = "rtrace"
author = "the authors of rtrace"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = rtrace.__version__

extensions = ["myst_parser"]
exclude_patterns = ["build"]
nitpicky = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a page that is included, as CHANGELOG.md, may begin at another level

smartquotes = False  # `--option` has two hyphens
html_theme = "furo"
html_title = "rtrace"
html_static_path: list[str] = []
html_show_copyright = False


def _fill_in(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put what is made from the code, or lies elsewhere in the repository, in the place of the marks on a page."""
    source[0] = fill_in(source[0], f"docs/{name}.md", CHECKOUT)
    if name == "reference/commands":
        from rtrace.cli.frame.commands import GROUPS
        from rtrace.cli.frame.commands import rtrace as group

        source[0] = source[0].replace("<!-- commands -->", render_commands(group, GROUPS))
    elif name == "reference/manifest":
        path = CHECKOUT / "tracer" / "rtrace" / "manifest" / "manifest.schema.json"
        source[0] = source[0].replace("<!-- keys -->", render_schema(json.loads(path.read_text("utf-8"))))


def setup(app: Sphinx) -> None:
    """Have the reference filled in whenever its pages are read."""
    app.connect("source-read", _fill_in)
