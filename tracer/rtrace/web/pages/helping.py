"""The page on how to use the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from rtrace.web.site import Visit


def show_help(visit: Visit) -> Response:
    """Return the page."""
    return visit.render("help.html")
