"""What LaTeX checks the figures of a paper by: found in its sources, and looked up in the history."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import FigureError, NoSuchRunError
from rtrace.figures.kinds import read_figure
from rtrace.figures.stamp import UnfitError
from rtrace.figures.tex import SIDE_FILE, STYLE, Known, Reference, find_references, read_style, write_side_file
from rtrace.files.incomplete import write_in_place
from rtrace.files.reading import read_file
from rtrace.operations.publishing.figure import LARGEST, Links, find_link
from rtrace.printable import shell_word
from rtrace.record.document import FileFact, Record
from rtrace.record.history.protocol import Catalogue, History

_LARGEST_SOURCE = 16 << 20
_EXTENSIONS = ("", ".pdf", ".png", ".jpg", ".jpeg", ".eps")
"""What LaTeX tries where a figure is named without its extension."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A figure of a paper: its run, and what is wrong with it, in a sentence."""

    reference: Reference
    run: str | None
    link: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Paper:
    """The side file that was written, and the figures of the paper."""

    side_file: Path
    figures: tuple[Checked, ...]


def write_paper(place: Path, history: History, links: Links) -> Paper:
    """Look up the figures that the sources in a folder, or one source, include; write the side file beside them.

    A figure that is not what its run made is a problem of its own; LaTeX will refuse it. Raises FigureError.
    """
    folder = place if place.is_dir() else place.parent
    sources = sorted(place.rglob("*.tex")) if place.is_dir() else [place]
    references = dict.fromkeys(
        reference for source in sources if source.name != SIDE_FILE for reference in _read_references(source)
    )
    if not references:
        raise FigureError(
            rf"{place} includes no figure by its run; write \rtraceincludegraphics{{RUN?FILE}} in a .tex file of it"
        )
    catalogue = history.catalogue()
    try:
        looked_up = [_look_up(reference, folder, (history, catalogue), links) for reference in references]
    finally:
        catalogue.close()
    side_file = folder / SIDE_FILE
    write_in_place(
        side_file, write_side_file(known for known, _checked in looked_up if known is not None).encode("utf-8")
    )
    return Paper(side_file, tuple(checked for _known, checked in looked_up))


def write_style(folder: Path) -> Path:
    """Write the LaTeX package into a folder. Raises BundleError."""
    place = folder / STYLE
    write_in_place(place, read_style())
    return place


def _look_up(
    reference: Reference, folder: Path, known: tuple[History, Catalogue], links: Links
) -> tuple[Known | None, Checked]:
    history, catalogue = known
    try:
        run = catalogue.resolve(reference.run or "last")
    except NoSuchRunError as error:
        return None, Checked(reference, None, None, str(error))
    record = history.read(run)
    present = _find_present(folder, reference.file)
    digests = _digest(present) if present is not None else None
    output = _find_output(record, reference.file, digests.plain if digests is not None else None)
    link = find_link(record, links)
    if output is None:
        missing = f"run {run} made no file that is called {reference.file}"
        if present is not None:
            missing += f", and none of its content; `rtrace blame {shell_word(present)}` tells which run did"
        return None, Checked(reference, run, link, missing)
    md5, sha256 = [output["md5"] or ""], [output["sha256"] or "", *output["stamped"]]
    if digests is None:
        problem: str | None = f"there is no {reference.file} in {folder}; copy it there"
    elif digests.plain == output["sha256"]:
        problem = None
        md5 += digests.md5  # with the stamp and without: TeX has no SHA-256 to compare
    else:
        problem = f"{present} is not the {reference.file} that run {run} made"
    found = Known(reference, run, _unique(md5), _unique(sha256), link)
    return found, Checked(reference, run, link, problem)


@dataclass(frozen=True, slots=True)
class _Digests:
    plain: str
    md5: tuple[str, ...]


def _digest(path: Path) -> _Digests | None:
    data = read_file(os.fspath(path), LARGEST)
    plain = data
    with contextlib.suppress(UnfitError):  # a format without stamps is a figure, too
        plain = read_figure(data).plain
    return _Digests(
        hashlib.sha256(plain).hexdigest(),
        tuple(hashlib.md5(one, usedforsecurity=False).hexdigest() for one in (plain, data)),
    )


def _find_present(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / (name + end) for end in _EXTENSIONS) if path.is_file()), None)


def _find_output(record: Record, name: str, digest: str | None) -> FileFact | None:
    """Return the output that is meant: the one of this content, else the only one whose path ends so."""
    outputs = record["outputs"]
    for output in outputs:
        if digest is not None and output["sha256"] == digest:
            return output
    ends = [os.path.normpath(f"/{name}{end}") for end in _EXTENSIONS]
    for ending in (ends, [f"/{os.path.basename(end)}" for end in ends]):
        fitting = [one for one in outputs if any(one["path"].endswith(end) for end in ending)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def _read_references(source: Path) -> Iterator[Reference]:
    try:
        data = source.read_bytes() if source.stat().st_size <= _LARGEST_SOURCE else b""
    except OSError as error:
        raise FigureError(f"cannot read {source}: {error.strerror}; name a .tex file or its folder") from None
    yield from find_references(data.decode("utf-8", "replace"))


def _unique(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, words)))
