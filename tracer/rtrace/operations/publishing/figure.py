"""Stamping figures with the run that made them, and reading stamps."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from rtrace import __version__
from rtrace.errors import FigureError, UnknownFigureError
from rtrace.figures.doi import read_doi, write_doi_url
from rtrace.figures.kinds import Figure, read_figure, write_figure
from rtrace.figures.stamp import Stamp, UnfitError
from rtrace.files.incomplete import Incomplete
from rtrace.files.reading import open_at_once
from rtrace.interrupts import held
from rtrace.printable import shell_word
from rtrace.record.document import Record
from rtrace.record.history.protocol import Catalogue, History

_MOST_MAKERS = 20
"""So many of those that made a figure are asked whether they are a run, or the replay of one."""
LARGEST = 512 << 20
"""A larger file is not read: what is stamped is in memory twice."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where readers find the run: a DOI or a URL that a person gave; anonymous stamps name nobody."""

    doi: str | None = None
    url: str | None = None
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Stamped:
    """A figure as it is now: its format, its stamp (None when it has none), and the digests of the whole file.

    ``fits`` tells whether the file without the stamp is the one that was stamped.
    """

    path: Path
    kind: str
    stamp: Stamp | None
    sha256: str
    md5: str
    fits: bool
    others: int = 0


def stamp_figure(path: Path, history: History, links: Links, run: str | None = None) -> Stamped:
    """Find the run that made a figure and write its stamp into the file, in place of an earlier one.

    The history learns the digest of the stamped file first, so that it is known whatever happens. Raises
    UnknownFigureError when no run made it, FigureError, and what the history raises.
    """
    data, state = _read(path)
    figure = _understand(path, data)
    digest = hashlib.sha256(figure.plain).hexdigest()
    catalogue = history.catalogue()
    try:
        wanted = None if run is None else catalogue.resolve(run)
        made, others = _find_maker(path, figure, digest, (history, catalogue), wanted)
    finally:
        catalogue.close()
    stamp = make_stamp(history.read(made), figure.plain, links)
    try:
        stamped = write_figure(figure, stamp)
    except UnfitError as error:
        raise FigureError(f"cannot stamp {path}: {error}") from None
    note_stamped(history, made, digest, hashlib.sha256(stamped).hexdigest())
    _replace(path, stamped, state)
    return _describe(path, figure, stamp, stamped, others)


def show_stamp(path: Path) -> Stamped:
    """Return a figure with its stamp; needs no history. Raises FigureError."""
    data, _state = _read(path)
    figure = _understand(path, data)
    try:
        stamp = figure.stamp
    except UnfitError as error:
        advice = f"`rtrace figure {shell_word(path)}` makes a new one"
        raise FigureError(f"cannot read the stamp of {path}: {error}; {advice}") from None
    return _describe(path, figure, stamp, data)


def remove_stamp(path: Path) -> Stamped:
    """Make a figure what it was before it was stamped, to the byte. Raises FigureError."""
    data, state = _read(path)
    figure = _understand(path, data)
    if figure.payload is not None and figure.plain == data:
        raise FigureError(f"{path} was written anew since it was stamped; make it again to be rid of the stamp")
    if figure.plain != data:
        _replace(path, figure.plain, state)
    return _describe(path, figure, None, figure.plain)


def make_stamp(record: Record, plain: bytes, links: Links) -> Stamp:
    """Return the stamp of a figure that a run made. An anonymous one has what names nobody."""
    bundle = next((one for one in reversed(record["bundles"]) if one["identity"] or one["doi"]), None)
    stamp = Stamp(
        run=record["id"],
        sha256=hashlib.sha256(plain).hexdigest(),
        md5=hashlib.md5(plain, usedforsecurity=False).hexdigest(),
        link=find_link(record, links),
        bundle=bundle["identity"] if bundle is not None else None,
        created_by=f"rtrace {__version__}",
    )
    if links.anonymous:
        return Stamp(stamp.run, stamp.sha256, stamp.md5, bundle=stamp.bundle, created_by=stamp.created_by)
    commits = [one["commit"] for one in record["repositories"] if one["commit"]]
    return Stamp(
        stamp.run,
        stamp.sha256,
        stamp.md5,
        label=record["label"],
        command=shlex.join(record["arguments"]) or None,
        commit=find_commit(record) or next(iter(commits), None),
        link=stamp.link,
        bundle=stamp.bundle,
        created_by=stamp.created_by,
    )


def find_commit(record: Record) -> str | None:
    """Return the commit of the repository that the main script is in."""
    for script in record["scripts"]:
        number = script["repository"]
        if script["main"] and number is not None and 0 <= number < len(record["repositories"]):
            return record["repositories"][number]["commit"]
    return None


def find_link(record: Record, links: Links) -> str | None:
    """Return where a reader finds the run: what a person said, else the DOI of a bundle that holds it."""
    if links.url is not None:
        return links.url.replace("{run}", record["id"])
    if links.doi is not None:
        return write_doi_url(read_doi(links.doi))
    for bundle in reversed(record["bundles"]):
        with contextlib.suppress(ValueError):  # anybody may have written what is no DOI into a record
            if bundle["doi"]:
                return write_doi_url(read_doi(bundle["doi"]))
    return None


def note_stamped(history: History, run: str, digest: str, stamped: str) -> None:
    """Have the record of a run know the digest of an output with a stamp, so that the history finds both."""

    def add(record: Record) -> Record:
        for file in record["outputs"]:
            if file["sha256"] == digest and stamped not in file["stamped"]:
                file["stamped"] = [*file["stamped"], stamped]
        return record

    if any(file["sha256"] == digest and stamped not in file["stamped"] for file in history.read(run)["outputs"]):
        history.replace(run, add)


def _find_maker(
    path: Path, figure: Figure, digest: str, known: tuple[History, Catalogue], wanted: str | None
) -> tuple[str, int]:
    """Return the run that made a figure, and how many others did: the newest, at this very path if one did there."""
    history, catalogue = known
    places = {os.path.abspath(os.fsencode(path)), os.path.realpath(os.fsencode(path))}
    made = catalogue.blame(digest)
    makers = list(dict.fromkeys([*(one.run for one in made if one.path in places), *(one.run for one in made)]))
    if wanted is not None:
        if wanted not in makers:
            advice = f"`rtrace blame {shell_word(path)}` tells which did"
            raise UnknownFigureError(f"run {wanted} did not make {path}; {advice}")
        return wanted, len(makers) - 1
    if makers:
        runs = (one for one in makers[:_MOST_MAKERS] if history.read(one)["kind"] == "run")
        return next(runs, makers[0]), len(makers) - 1
    try:
        stamp = figure.stamp
    except UnfitError:
        stamp = None
    if stamp is not None and stamp.sha256 != digest:
        raise UnknownFigureError(
            f"{path} has been changed since it was stamped as made by run {stamp.run}; make it again"
        )
    if stamp is not None:
        raise UnknownFigureError(
            f"{path} was made by run {stamp.run}, which this history does not have; `rtrace import` brings it in"
        )
    raise UnknownFigureError(f"no run of the history made {path}; trace the command that makes it with `rtrace trace`")


def _describe(path: Path, figure: Figure, stamp: Stamp | None, data: bytes, others: int = 0) -> Stamped:
    return Stamped(
        path,
        figure.kind.name,
        stamp,
        hashlib.sha256(data).hexdigest(),
        hashlib.md5(data, usedforsecurity=False).hexdigest(),
        fits=stamp is None or hashlib.sha256(figure.plain).hexdigest() == stamp.sha256,
        others=others,
    )


def _understand(path: Path, data: bytes) -> Figure:
    try:
        return read_figure(data)
    except UnfitError as error:
        raise FigureError(f"cannot read {path} as a figure: {error}") from None


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    """Return the content of a file and its state. Raises FigureError."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise FigureError(f"{path} is no regular file; name a figure")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise FigureError(f"cannot read {path}: {error.strerror}; name a figure that is there") from None
    if len(data) > LARGEST:
        raise FigureError(f"{path} has more than {LARGEST >> 20} MiB; stamp a smaller version of it")
    return data, state


def _replace(path: Path, data: bytes, state: os.stat_result) -> None:
    """Put new content in the place of a file, whole or not at all; a symlink to it stays, and its mode does.

    Raises FigureError when somebody else changed it meanwhile, and BundleError when it cannot be written.
    """
    place = Path(os.path.realpath(path))

    def same(one: os.stat_result) -> bool:
        return (one.st_ino, one.st_size, one.st_mtime_ns) == (state.st_ino, state.st_size, state.st_mtime_ns)

    with held(lambda: Incomplete(place, replace=True)) as incomplete:
        whole = incomplete.folder / "whole"
        with whole.open("xb") as file:
            _keep_owner(file.fileno(), state)
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(state.st_mode))
            os.fsync(file.fileno())
        if not same(place.stat()):
            raise FigureError(f"{path} was changed by somebody else in the meantime; try again")
        incomplete.give_name(whole)


def _keep_owner(descriptor: int, state: os.stat_result) -> None:
    try:
        os.fchown(descriptor, state.st_uid, state.st_gid)
    except OSError:  # EPERM: only root gives files away, and the figure is this user's then, as any that he writes
        return
