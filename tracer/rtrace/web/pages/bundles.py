"""A bundle of a run, to be saved: a file that the record names, and that still is the one it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from rtrace.errors import BundleError
from rtrace.files.reading import open_content
from rtrace.opening import open_bundle
from rtrace.web.content.proof import is_regular
from rtrace.web.responses import answer_download

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from rtrace.web.site import Visit

_IDENTITY = "sha256:"


def save_bundle(visit: Visit, run: str, number: int) -> Response:
    """Return the file."""
    bundles = visit.history.read(run)["bundles"]
    if number >= len(bundles):
        raise NotFound("The record has no such bundle.")
    bundle = bundles[number]
    if bundle["identity"] is None:
        raise NotFound("The record does not say which bundle it was: what lies there now could be another one.")
    path = Path(bundle["path"])
    if not is_regular(bundle["path"]):
        raise NotFound("The bundle is not in its place any more.")
    try:
        file = os.fdopen(open_content(bundle["path"]), "rb")
    except OSError:
        raise NotFound("The bundle is not in its place any more.") from None
    try:
        if not is_bundle(path, bundle["identity"]) or not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
            raise NotFound("What lies in the place of the bundle is another file now.")
        return answer_download(visit.request.environ, file, path.name, os.fstat(file.fileno()).st_size)
    except BaseException:
        file.close()
        raise


def is_bundle(path: Path, identity: str) -> bool:
    """Whether a file is the bundle of an identity."""
    try:
        with open_bundle(path) as opened:
            return opened.identity == identity.removeprefix(_IDENTITY)
    except (BundleError, OSError):
        return False
