"""How it stands with the inputs and outputs of a target: as packed, replaced, changed by a run, missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rtrace.bundle.data.sparse import zeros
from rtrace.bundle.entry import Entry, FileType
from rtrace.elsewhere.sources import NO_SOURCES, read_content
from rtrace.errors import ElsewhereError
from rtrace.files.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rtrace.bundle.entry import Result
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.operations.exchange.names import File
    from rtrace.replay.protocol import Target
    from rtrace.replay.uploads import Upload, Uploads

State = Literal["original", "replaced", "changed", "generated", "missing"]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of a target as it is now; ``path`` is where it was found, and ``size`` None where it is not."""

    file: File
    path: bytes
    state: State
    size: int | None
    upload: Upload | None = None


def list_states(target: Target, bundle: OpenBundle, files: Sequence[File], uploads: Uploads) -> tuple[FileState, ...]:
    """Return the state of files, one with a pattern as often as there are files that match it. Raises TargetError."""
    places = find_places(target, bundle, files)
    uploaded = {path: uploads.files[path] for _, path, _ in places if path in uploads.files}
    packed = {path: find_content(bundle, entry) for _, path, entry in places}
    sizes = {path: None if packed[path] is None else packed[path].size for path in packed}  # type: ignore[union-attr]
    found = target.inspect({**sizes, **{path: one.size for path, one in uploaded.items()}}, ()).found
    # What was uploaded and is not what was uploaded may be what was packed: that is another size to look for.
    again = {path: sizes[path] for path in uploaded if found[path].sha256 is None and found[path].size == sizes[path]}
    if again:
        found = {**found, **target.inspect(again, ()).found}
    return tuple(
        FileState(
            file,
            path,
            judge(bundle, file, found[path], uploaded.get(path), packed[path]),
            found[path].size if found[path].type is FileType.REGULAR else None,
            uploaded.get(path),
        )
        for file, path, _ in places
    )


def find_places(
    target: Target, bundle: OpenBundle, files: Iterable[File]
) -> tuple[tuple[File, bytes, Entry | None], ...]:
    """Return where files are: one with a pattern in all places that match it, or where it was if there are none."""
    patterns = [file for file in files if file.pattern is not None]
    there: list[bytes] = []
    if patterns:
        entries = bundle.entries
        matcher = Patterns([file.pattern for file in patterns if file.pattern is not None])
        candidates = [one.path for one in entries if one.type is FileType.REGULAR and matcher.match(one.path)]
        snapshot = target.inspect(dict.fromkeys((*candidates, *(file.path for file in patterns))), entries)
        there = [path for path, result in snapshot.found.items() if result.type is FileType.REGULAR]
        there += [path for path in snapshot.extra if matcher.match(path)]
    places: list[tuple[File, bytes, Entry | None]] = []
    for file in files:
        if file.pattern is None:
            places.append((file, file.path, file.entry))
            continue
        matching = sorted(set(match_exactly(file.pattern, there))) or [file.path]
        places += [(file, path, bundle.find(path)) for path in matching]
    return tuple(places)


def match_exactly(pattern: bytes, paths: Iterable[bytes]) -> list[bytes]:
    """Return the paths that a pattern matches; a file below a folder that it matches is none of these."""
    matcher = Patterns([pattern])
    depth = None if b"**" in pattern or not pattern.startswith(b"/") else pattern.count(b"/")
    return [path for path in paths if (depth is None or path.count(b"/") == depth) and matcher.match(path)]


def find_content(bundle: OpenBundle, entry: Entry | None) -> Entry | None:
    """Return the entry that has the content of another: its own, or that of the file which it is a further name of."""
    if entry is not None and entry.link is not None:
        entry = bundle.find(entry.link)
    return entry if entry is not None and entry.type is FileType.REGULAR else None


def judge(bundle: OpenBundle, file: File, found: Result, upload: Upload | None, packed: Entry | None) -> State:
    """Return the state of what was found at a path."""
    if found.type is None:
        return "missing"
    if found.type is FileType.REGULAR:
        if upload is not None and (found.size, found.sha256) == (upload.size, upload.sha256):
            return "replaced"
        if packed is not None and found.size == packed.size and is_same(bundle, packed, found.sha256):
            return "original"
    return "generated" if file.kind == "output" else "changed"


def is_same(bundle: OpenBundle, packed: Entry, sha256: str | None) -> bool:
    """Whether a content of the size of a packed one is that; what is not kept is zeros until a run writes it."""
    if packed.placeholder:
        return sha256 is None or sha256 == digest_zeros(packed.size)
    return sha256 is not None and sha256 == (packed.sha256 or compute_digest(bundle, packed))


def list_unmade(target: Target, bundle: OpenBundle, paths: Collection[bytes]) -> frozenset[bytes]:
    """Return the paths where the size of a file is still all that there is: no run has written its content.

    An empty file says nothing else than what it would say when it was written. Raises TargetError.
    """
    packed = {path: entry for path in paths if (entry := bundle.find(path)) is not None}
    sizes = {path: entry.size for path, entry in packed.items() if entry.placeholder and entry.size}
    found = target.inspect(sizes, ()).found if sizes else {}
    return frozenset(
        path
        for path, one in found.items()
        if one.type is FileType.REGULAR and one.size == sizes[path] and is_same(bundle, packed[path], one.sha256)
    )


def digest_zeros(size: int) -> str:
    """Return the SHA-256 of as many zeros."""
    digest = hashlib.sha256()
    for part in zeros(size):
        digest.update(part)
    return digest.hexdigest()


def compute_digest(bundle: OpenBundle, packed: Entry) -> str | None:
    """Return the digest of a packed content, which the bundles of other programs do not tell."""
    digest = hashlib.sha256()
    try:
        for part in read_content(bundle, packed, NO_SOURCES):
            digest.update(part)
    except ElsewhereError:
        return None
    return digest.hexdigest()
