"""Pages whose text is a file elsewhere in the repository, with links that lead to the right page of the site.

Such a page has a line `The text of this page is [NAME](PATH).`: whoever reads it in the repository follows the link.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# Files outside of docs/ that are pages of the site.
PAGES = {
    "CHANGELOG.md": "docs/changelog.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "SECURITY.md": "docs/security.md",
    "tracer/FORMAT.md": "docs/reference/format.md",
    "unpackers/README.md": "docs/architecture/unpackers.md",
}

_MARK = re.compile(r"^The text of this page is \[[^\]]*\]\(([^)]+)\)\.$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_HEADING = re.compile(r"\A# .*\n+")


def fill_in(text: str, page: str, checkout: Path) -> str:
    """Return a page's text with the file in it that its mark names. ``page`` is the page's path in the repository."""
    found = _MARK.search(text)
    if found is None:
        return text
    folder = os.path.dirname(page)
    source = os.path.normpath(os.path.join(folder, found[1]))
    included = _LINK.sub(
        lambda link: _relink(link[1], source, page) + (link[2] or ""), (checkout / source).read_text("utf-8")
    )
    before = text[: found.start()]
    if before.strip():  # the page has a title of its own
        included = _HEADING.sub("", included)
    return before + included + text[found.end() :]


def _relink(target: str, source: str, page: str) -> str:
    """Return where a link of the file ``source`` leads from ``page``: to a page of the site if there is one."""
    path = os.path.normpath(os.path.join(os.path.dirname(source), target))
    return os.path.relpath(PAGES.get(path, path), os.path.dirname(page))
