"""The comments in a manifest that are a person's own, and not rtrace's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.manifest.model import Folder
from rtrace.manifest.render import FOLDER, SIZE, render, render_folders

if TYPE_CHECKING:
    from rtrace.manifest.model import Manifest

GENERATED = re.compile(rf"# {SIZE.pattern}\s*\Z")
COMMENT = re.compile(r"(?:^|(?<=\s))#[^\r\n]*")
RESCUED = "\n# What was written into the earlier manifest, which could not be kept as it was:\n"


def add_comments_of(earlier: str, rendered: str) -> str:
    """Return a text that was made anew, with all comments of an earlier one below it."""
    own = _find_own_comments(earlier, rendered)
    return rendered + RESCUED + "".join(f"{line}\n" for line in own) if own else rendered


def _find_own_comments(earlier: str, rendered: str) -> list[str]:
    """Return the lines of an earlier text that are comments, and not rtrace's."""
    known = {line.strip() for line in rendered.splitlines()}
    comments = [line.strip() for line in earlier.splitlines() if line.lstrip().startswith("#")]
    return [line for line in comments if line not in known and not FOLDER.match(line)]


def has_own_comments(text: str, manifest: Manifest) -> bool:
    """Whether the text of a manifest has comments, behind something or on lines of their own, that a person wrote.

    Sizes behind packages are rtrace's.
    """
    rendered = render(manifest) + render_folders([Folder(b"/", 0, 0)])
    known = {found[0].strip() for found in COMMENT.finditer(rendered)}
    own = (found[0].strip() for found in COMMENT.finditer(text))
    return any(not (one in known or FOLDER.match(one) or GENERATED.match(one)) for one in own)
