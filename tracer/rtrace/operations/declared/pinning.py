"""`rtrace drift --write`: what a run used is written down, whole and over nothing that is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace import __version__
from rtrace.declared.writing.formats import find_format
from rtrace.declared.writing.pins import collect_pins
from rtrace.errors import DeclarationError
from rtrace.operations.declared.pip_cache import find_hashes

if TYPE_CHECKING:
    from rtrace.operations.declared.drift import DriftReport

_INCOMPLETE = ".incomplete"


class Pinned(NamedTuple):
    """A file that was written, and what it lacks, a sentence each."""

    path: Path
    losses: tuple[str, ...]


def write_pins(report: DriftReport, word: str, folder: Path, *, force: bool) -> Pinned:
    """Write what was used as a format, or a file whose name tells its format.

    A format's own file is in ``folder``. Raises UsageError for an unknown format, and DeclarationError where the file
    exists or cannot be written.
    """
    form, given = find_format(word)
    path = Path(given) if given is not None else folder / form.file
    if os.path.lexists(path) and not force:
        raise DeclarationError(f"{path} exists already; name another file, or use --force to replace it")
    hashes = {key: set(several) for key, several in report.declarations.hashes.items()}
    wanted = {(one.name, one.version) for one in report.used if one.ecosystem == one.manager == "python"}
    for key, several in find_hashes(wanted - hashes.keys()).items():
        hashes.setdefault(key, set()).update(several)
    pins = collect_pins(report.used, hashes, report.declarations.archives, f"rtrace {__version__}")
    written = form.write(pins)
    incomplete = path.with_name(path.name + _INCOMPLETE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        incomplete.write_text(written.text, encoding="utf-8", errors="backslashreplace")
        incomplete.replace(path)
    except OSError as error:
        incomplete.unlink(missing_ok=True)
        raise DeclarationError(f"cannot write {path}: {error.strerror}; name a file elsewhere") from None
    return Pinned(path, written.losses)
