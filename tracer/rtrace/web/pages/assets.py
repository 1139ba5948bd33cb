"""Style sheet, scripts and picture of the pages: files of packages of ours, by their names alone."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from rtrace.web.site import Visit

ASSETS = {
    "style.css": ("rtrace.pages", "text/css; charset=utf-8"),
    "page.js": ("rtrace.web", "text/javascript; charset=utf-8"),
    "graph.js": ("rtrace.web", "text/javascript; charset=utf-8"),
    "icon.svg": ("rtrace.web", "image/svg+xml"),
}


def show_asset(visit: Visit, name: str) -> Response:  # noqa: ARG001 -- as all pages have it
    """Return one of the files."""
    if name not in ASSETS:
        raise NotFound("There is no such file.")
    package, kind = ASSETS[name]
    return Response(files(package).joinpath("static", name).read_bytes(), content_type=kind)
