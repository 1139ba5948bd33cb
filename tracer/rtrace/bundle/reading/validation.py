"""What a bundle must not hold: every trick by which its entries could reach outside a target, each with its sentence.

Pure: it looks at entries and at nothing else, before anything is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.bundle.data.layout import has_content, stored_size
from rtrace.bundle.data.sparse import HOLES_LIMIT, segments_problem
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.entry_xattrs import attributes_problem
from rtrace.bundle.limits import ATTRIBUTES_LIMIT, SEGMENTS_LIMIT, UNLISTED_LIMIT, WORD_LIMIT
from rtrace.errors import HostileBundleError
from rtrace.printable import printable, shorten, shorten_path

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator

    from rtrace.manifest.model import Elsewhere

PATH_LIMIT = 4095
"""Bytes of a path, PATH_MAX without the NUL."""
NAME_LIMIT = 255
"""Bytes between two slashes, NAME_MAX."""
SIZE_LIMIT = (1 << 63) - 1
ID_LIMIT = (1 << 32) - 1
TIME_LIMIT = 1 << 63
_MODE_LIMIT = 0o7777
_FOLDER_ROOM = 200
_SLASH = b"/"[0]

# Stands for: absolute, no empty component, no "." or "..", no NUL, no slash at the end (but for "/" itself), no name
# longer than NAME_LIMIT. One match answers for the usual path; `path_problem` finds the words when it fails.
_PROPER_PATH = re.compile(rb"/(?:(?!\.\.?(?:/|\Z))[^/\0]{1,255}(?:/(?=[^/])|\Z))*\Z")
_PROPER_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def path_problem(path: bytes) -> str | None:
    """Return what is wrong with a path that should be absolute and normalised; None when it is."""
    # Five looks that are enough for the usual path take a tenth of the time of the match.
    if (
        path[:1] == b"/"
        and b"/." not in path
        and b"//" not in path
        and b"\0" not in path
        and path[-1:] != b"/"
        and (len(path) <= NAME_LIMIT or (len(path) <= PATH_LIMIT and _has_short_names(path)))
    ):
        return None
    if len(path) <= PATH_LIMIT and _PROPER_PATH.match(path):
        return None
    if not path:
        return "an empty path"
    if b"\0" in path:
        return "a NUL byte in its path"
    if not path.startswith(b"/"):
        return "a path that is not absolute"
    if len(path) > PATH_LIMIT:
        return f"a path longer than {PATH_LIMIT} bytes"
    components = path[1:].split(b"/")
    if b".." in components:
        return "a path that climbs with '..'"
    if b"." in components or b"" in components:
        return "a path that is not normalised"
    return f"a name longer than {NAME_LIMIT} bytes"


def _has_short_names(path: bytes) -> bool:
    """Whether no name in an absolute path is longer than NAME_LIMIT, by every 256th byte or so."""
    slash = 0
    while len(path) - slash - 1 > NAME_LIMIT:
        following = path.rfind(b"/", slash + 1, slash + NAME_LIMIT + 2)
        if following < 0:
            return False
        slash = following
    return True


def find_holders(entries: Iterable[Entry]) -> set[bytes]:
    """Return the paths that hard links and copies name: more has to be remembered of these."""
    holders: set[bytes] = set()
    for entry in entries:
        holder = entry.link if entry.copy_of is None else entry.copy_of
        if holder is not None:
            holders.add(holder)
    return holders


def validate_entries(entries: Collection[Entry]) -> None:
    """Check entries in the order of the bundle; raise HostileBundleError at the first that may not be unpacked."""
    for _ in validated_entries(entries, find_holders(entries)):
        pass


def validated_entries(entries: Iterable[Entry], holders: Container[bytes]) -> Iterator[Entry]:
    """Yield entries in the order of the bundle, each after it was checked; raises HostileBundleError.

    Remembered is only what others can depend on: the ``holders``, and the entries whose paths the next one's begins
    with. The others cannot be above any that follow, as these are sorted.
    """
    folders = _Folders()
    contents: dict[bytes, int] = {}
    copies: dict[bytes, int] = {}
    holes = segments = attributes = 0
    previous = b""
    for entry in entries:
        path = entry.path
        problem = path_problem(path) or _attribute_problem(entry)
        if problem:
            raise _refusal(path, f"with {problem}")
        if path <= previous:
            raise _refusal(path, "twice" if path == previous else "out of order")
        previous = path
        kind = entry.type
        if path == b"/" and kind is not FileType.DIRECTORY:
            raise _refusal(path, "as something other than a directory")
        folders.enter(path, is_folder=kind is FileType.DIRECTORY)
        if entry.xattrs:
            attributes += len(entry.xattrs)
            if attributes > ATTRIBUTES_LIMIT:
                raise _refusal(path, f"and others with more than {ATTRIBUTES_LIMIT} extended attributes")
        if kind is FileType.REGULAR:
            if entry.link is not None:
                _check_holder(entry, entry.link, contents.get(entry.link, copies.get(entry.link)), "a hard link", "to")
            elif entry.copy_of is not None:
                _check_holder(entry, entry.copy_of, contents.get(entry.copy_of), "a copy", "of")
                if path in holders:
                    copies[path] = _brief(entry)
            elif entry.elsewhere:
                if path in holders:
                    copies[path] = _brief(entry)
            elif not entry.placeholder:
                if path in holders:
                    contents[path] = _brief(entry)
                if entry.segments is not None:
                    holes += entry.size - stored_size(entry)
                    if holes > HOLES_LIMIT:
                        raise _refusal(path, f"and others with more than {HOLES_LIMIT} bytes of holes")
                    segments += len(entry.segments)
                    if segments > SEGMENTS_LIMIT:
                        raise _refusal(path, f"and others in more than {SEGMENTS_LIMIT} parts with holes between them")
        yield entry


class _Folders:
    """Of the entries before the next one, those that can be above it: those whose paths its own begins with."""

    def __init__(self) -> None:
        self._folders: list[bytes] = []
        self._others: list[bytes] = []
        self._parent = b""
        self._unlisted = 0

    def enter(self, path: bytes, *, is_folder: bool) -> None:
        """Take the next path. Raises HostileBundleError for one below something that is not a folder."""
        others = self._others
        while others and not path.startswith(others[-1]):
            others.pop()
        if others and path[len(others[-1])] == _SLASH:
            raise _refusal(path, f"below {printable(others[-1])}, which is not a directory")
        parent = path[: path.rfind(b"/")]
        if parent != self._parent:
            self._find(parent, path)
            self._parent = parent
        if is_folder:
            self._leave(path)
            self._folders.append(path)
        else:
            others.append(path)

    def _leave(self, path: bytes) -> None:
        folders = self._folders
        while folders and not path.startswith(folders[-1]):
            folders.pop()

    def _find(self, parent: bytes, path: bytes) -> None:
        """Find the folder that a path is in; one that is no entry will have to be made, with those above it."""
        self._leave(path)
        above = next((folder for folder in reversed(self._folders) if path[len(folder)] == _SLASH), b"")
        if len(above) == len(parent):
            return
        missing = parent.count(b"/") - above.count(b"/")
        self._unlisted += missing * (len(parent) + _FOLDER_ROOM)
        if self._unlisted > UNLISTED_LIMIT:
            raise _refusal(path, "and others in folders that it does not list, more than any that rtrace writes")
        self._folders.append(parent)


class ElsewhereValidator:
    """Compares what the manifest says of content that is elsewhere with what the index says."""

    def __init__(self, told: Iterable[Elsewhere]) -> None:
        self._told = {one.path: (one.size, one.sha256) for one in told}

    def check(self, entry: Entry) -> None:
        """Take the next entry. Raises HostileBundleError where the manifest says something else of it."""
        if entry.elsewhere:
            told = self._told.pop(entry.path, None)
            if told is None:
                raise HostileBundleError(f"its manifest does not tell that {printable(entry.path)} is elsewhere")
            if told != (entry.size, entry.sha256):
                raise HostileBundleError(f"its manifest and its index do not agree about {printable(entry.path)}")

    def finish(self) -> None:
        """Raise HostileBundleError when the manifest tells of something that is no entry, or is not elsewhere."""
        if self._told:
            raise HostileBundleError(f"its index does not tell that {printable(min(self._told))} is elsewhere")


def validate_results(results: Iterable[Result], runs: Iterable[str]) -> None:
    """Check results: known runs, in the order of the runs and then of the paths, proper paths, no path twice."""
    for _ in validated_results(results, runs):
        pass


def validated_results(results: Iterable[Result], runs: Iterable[str]) -> Iterator[Result]:
    """Yield results, each after it was checked as ``validate_results`` does."""
    order = {run: number for number, run in enumerate(runs)}
    previous = (-1, b"")
    for result in results:
        problem = path_problem(result.path) or _result_problem(result)
        if result.run not in order:
            problem = f"the run {shorten(result.run)!r}, which the manifest does not know"
        if problem:
            raise HostileBundleError(f"the bundle holds a result for {shorten_path(result.path)} with {problem}")
        key = (order[result.run], result.path)
        if key <= previous:
            raise HostileBundleError(f"the bundle holds a result for {printable(result.path)} twice or out of order")
        previous = key
        yield result


def _refusal(path: bytes, what: str) -> HostileBundleError:
    return HostileBundleError(f"the bundle holds {shorten_path(path) or 'an entry'} {what}")


def _attribute_problem(entry: Entry) -> str | None:
    """Return which attribute no file can have, or does not belong to the entry's type."""
    if not 0 <= entry.mode <= _MODE_LIMIT:
        return f"the mode {entry.mode:#o}"
    if not (0 <= entry.uid < ID_LIMIT and 0 <= entry.gid < ID_LIMIT):
        return f"the owner {entry.uid}:{entry.gid}"
    if not -TIME_LIMIT <= entry.mtime_ns < TIME_LIMIT:
        return "a time that no file can have"
    if not 0 <= entry.size <= SIZE_LIMIT:
        return f"a size of {entry.size} bytes"
    if entry.package is not None and len(entry.package) > WORD_LIMIT:
        return "a package of too long a name"
    if len(entry.reason) > WORD_LIMIT or len(entry.belonging or "") > WORD_LIMIT:
        return "a reason that is too long"
    if entry.xattrs and (problem := attributes_problem(entry)):
        return problem
    if (entry.blocks, entry.twin) != (None, None) and (not entry.placeholder or (entry.blocks or 0) < 0):
        return "the room or the first name of a placeholder, though it is not one"
    if entry.type is FileType.REGULAR:
        return _regular_problem(entry)
    for given, what in (
        (entry.size, "a size"),
        (entry.sha256 is not None or entry.offset is not None, "content"),
        (entry.link is not None, "a hard link"),
        (entry.copy_of is not None, "the content of another file"),
        (entry.segments is not None, "holes"),
        (entry.placeholder, "the mark of a placeholder"),
        (entry.elsewhere, "the mark of content elsewhere"),
    ):
        if given:
            return f"{what}, though it is not a regular file"
    if entry.type is FileType.SYMLINK:
        return _target_problem(entry.target)
    return "a symlink's target, though it is not a symlink" if entry.target is not None else None


def _regular_problem(entry: Entry) -> str | None:
    if entry.target is not None:
        return "a symlink's target, though it is not a symlink"
    if entry.segments is not None:
        if not has_content(entry):
            return "holes, though it has no content of its own"
        problem = segments_problem(entry.segments, entry.size)
        if problem:
            return problem
    if entry.placeholder:
        if entry.sha256 is not None or (entry.link, entry.copy_of, entry.offset) != (None, None, None):
            return "content, though it is a placeholder"
        return "the mark of content elsewhere, though it is a placeholder" if entry.elsewhere else None
    if entry.sha256 is None or not _PROPER_DIGEST.match(entry.sha256):
        return "no proper SHA-256"
    if entry.elsewhere:
        alone = (entry.link, entry.copy_of, entry.offset, entry.segments) == (None,) * 4
        return None if alone else "content, though that is elsewhere"
    if entry.link is not None or entry.copy_of is not None:
        if entry.link is not None and entry.copy_of is not None:
            return "the marks of a hard link and of a copy"
        what = "copy" if entry.link is None else "hard link"
        return f"content of its own, though it is a {what}" if entry.offset is not None else None
    if entry.offset is None or entry.offset < 0:
        return "content at no place"
    return None


def _target_problem(target: bytes | None) -> str | None:
    if not target:
        return "a symlink to nothing"
    if b"\0" in target:
        return "a NUL byte in a symlink's target"
    if len(target) > PATH_LIMIT:
        return f"a symlink's target longer than {PATH_LIMIT} bytes"
    return None


def _brief(entry: Entry) -> int:
    """Return size and digest in a number, which takes a fifth of their memory; equal ones by chance do no harm."""
    return hash((entry.size, entry.sha256))


def _check_holder(entry: Entry, path: bytes, holder: int | None, what: str, to: str) -> None:
    """Refuse a hard link or copy of anything but content that comes before it; size and digest must agree."""
    problem = path_problem(path)
    if problem:
        raise _refusal(entry.path, f"as {what} with {problem}")
    if holder is None:
        raise _refusal(entry.path, f"as {what} {to} {printable(path)}, which is not a regular file before it")
    if _brief(entry) != holder:
        raise _refusal(entry.path, f"as {what} {to} {printable(path)}, whose content differs")


def _result_problem(result: Result) -> str | None:
    if not 0 <= result.mode <= _MODE_LIMIT:
        return f"the mode {result.mode:#o}"
    if not 0 <= result.size <= SIZE_LIMIT:
        return f"a size of {result.size} bytes"
    if result.sha256 is not None and not (_PROPER_DIGEST.match(result.sha256) and result.type is FileType.REGULAR):
        return "an improper SHA-256"
    if result.target is not None or result.type is FileType.SYMLINK:
        if result.type is not FileType.SYMLINK:
            return "a symlink's target, though it is not a symlink"
        return _target_problem(result.target)
    return None
