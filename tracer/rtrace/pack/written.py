"""What the runs wrote, on its way into a bundle: outputs and standard streams, for whoever compares a replay with them.

A content is kept only if it is what its digest says, and holds no secret: nothing in it can be masked without making it
another content. Where all of them are too large, the largest are kept as digests of their blocks.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rtrace.bundle.written.writing import digest_blocks
from rtrace.debugging import debug
from rtrace.describe.internals import Prefixes
from rtrace.files.patterns import Patterns
from rtrace.files.reading import open_content, read_parts
from rtrace.manifest.model import SecretPack
from rtrace.pack.results import open_left
from rtrace.printable import printable
from rtrace.privacy.file_search import SecretSearch
from rtrace.privacy.searching.matching import find_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rtrace.bundle.written.writing import WrittenContents
    from rtrace.manifest.model import Manifest
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.anonymous.anonymizer import Anonymizer
    from rtrace.privacy.decisions import Decisions
    from rtrace.privacy.redaction import Redactor
    from rtrace.trace.reading.one_run import TracedStream
    from rtrace.trace.reading.reader import After, Copy

Answer = TypeVar("Answer")

MOST = 256 << 20
"""Bytes of all contents that are kept unless another limit is asked for."""
LARGEST = 64 << 20
"""Bytes of one of them: it is in memory at once."""
_STREAM_NAMES = {1: "stdout", 2: "stderr"}


class Wanted(NamedTuple):
    """A content that a run wrote: the place where it is, as secrets have one, its path, if any, and how it is opened.

    ``open`` returns a descriptor at its beginning, None where the content is not there any more. ``run`` is the run's
    number, of a file.
    """

    place: str
    path: bytes | None
    size: int
    sha256: str | None
    open: Callable[[], int | None]
    run: int = 0

    def read(self) -> tuple[bytes, str] | None:
        """Return the content and its SHA-256; None where it is not what it was, or cannot be read."""
        content = self._take(b"".join)
        if content is None:
            return None
        sha256 = hashlib.sha256(content).hexdigest()
        return (content, sha256) if self._is_it(len(content), sha256) else None

    def digest_blocks(self) -> tuple[str, str] | None:
        """Return its SHA-256 and those of its blocks; None where it is not what it was, or cannot be read."""
        found = self._take(digest_blocks)
        if found is None:
            return None
        sha256, size, blocks = found
        return (sha256, blocks) if self._is_it(size, sha256) else None

    def _take(self, work: Callable[[Iterator[bytes]], Answer]) -> Answer | None:
        descriptor = self.open()
        if descriptor is None:
            return None
        try:
            return work(_read(descriptor, self.size))
        except OSError:  # the disk has an error there
            return None
        finally:
            os.close(descriptor)

    def _is_it(self, size: int, sha256: str) -> bool:
        return size == self.size and self.sha256 in {None, sha256}


def decide_on_written(plan: PackingPlan, decisions: Decisions) -> frozenset[str]:
    """Decide on the secrets in what would be kept; return the places of those contents that are not."""
    search = SecretSearch(decisions.values)
    left_out = set()
    for wanted in choose_whole(plan):
        read = wanted.read()
        path = wanted.path or b"output"  # which no rule on names is about
        found = None if read is None else search.look_into(read[0], path, find_rules(path))
        if found is None:
            continue
        packs = set()
        for number, where in (*found.lines.items(), *found.inside.items()):
            rule = search.rules[number]
            line = where[0]
            what = f"{rule.what}, line {line}" if isinstance(line, int) and line else rule.what
            packs.add(decisions.decide(wanted.place, rule, what, SecretPack.LEFT_OUT, wanted.path))
        decisions.learn(found.values, packs)
        if packs != {SecretPack.AS_IT_IS}:
            left_out.add(wanted.place)
    return frozenset(left_out)


def keep_written(
    plan: PackingPlan, contents: WrittenContents, redactor: Redactor, anonymizer: Anonymizer | None
) -> dict[tuple[int, bytes], str]:
    """Keep what the runs of a plan wrote, but for what is secret; return the digests of files that were not known.

    These are by run and path. An anonymous bundle has no digests of blocks: a replay under pseudonyms writes others.
    Nor has it a content in which a name stays. Raises OSError when the disk is full.
    """
    digests: dict[tuple[int, bytes], str] = {}

    def learn(wanted: Wanted, sha256: str) -> None:
        if wanted.path is not None and wanted.sha256 is None:
            digests[wanted.run, wanted.path] = sha256

    whole = choose_whole(plan)
    for wanted in whole:
        found = None if wanted.place in plan.secret_written else wanted.read()
        if found is None:
            continue
        content, sha256 = found
        learn(wanted, sha256)
        if redactor.find_known(content):  # which was found in a file later
            continue
        if anonymizer is not None:
            content = anonymizer.replace_written(content)
            if anonymizer.names.occur_in(iter([content])):  # compressed, say, and its name is not
                continue
            sha256 = hashlib.sha256(content).hexdigest()
        contents.add(sha256, content)
    if anonymizer is None and plan.most_written:
        places = {wanted.place for wanted in whole}
        for wanted in list_wanted(plan):
            large = wanted.digest_blocks() if wanted.size and wanted.place not in places else None
            if large is not None:
                learn(wanted, large[0])
                contents.add_digests(large[0], wanted.size, large[1])
    debug(__name__, "%d contents that runs wrote are kept", len(contents))
    return digests


def choose_whole(plan: PackingPlan) -> list[Wanted]:
    """Return the contents that are kept whole, the smallest first: as many as there is room for."""
    room = plan.most_written
    chosen = []
    for wanted in sorted(list_wanted(plan), key=lambda one: (one.size, one.place)) if room else ():
        room -= wanted.size
        if room < 0 or wanted.size > LARGEST:
            break
        if wanted.size:
            chosen.append(wanted)
    return chosen


def list_wanted(plan: PackingPlan) -> Iterator[Wanted]:
    """Yield the outputs that the manifest names, or where it names none all files that the runs wrote, and streams."""
    copies: dict[bytes, list[Copy]] = {}
    for copy in plan.copies:
        copies.setdefault(copy.path, []).append(copy)
    is_output = _choose_outputs(plan.manifest)
    snapshots = os.fsencode(plan.directory.snapshots)
    for after in plan.results:
        if after.type == "file" and is_output(after.path):
            place = f"output {printable(after.path)} of {plan.run_names[after.run]}"
            opened = _open_result(after, copies, snapshots)
            yield Wanted(place, after.path, after.size or 0, after.sha256, opened, after.run)
    folder = os.fsencode(plan.directory.streams)
    for run, streams in plan.streams.items():
        for number, stream in streams.items():
            stream_opened = _open_stream(stream, folder)
            if number in _STREAM_NAMES and stream_opened is not None:
                place = f"{_STREAM_NAMES[number]} of {run}"
                yield Wanted(place, None, stream.size or 0, stream.sha256, stream_opened)


def _choose_outputs(manifest: Manifest) -> Callable[[bytes], bool]:
    """Return what tells whether a path is that of an output, or below one that is a folder."""
    ignored = Patterns(manifest.ignore)
    if not manifest.outputs:
        return lambda path: not ignored.match(path)
    paths = frozenset(output.path.rstrip(b"/") for output in manifest.outputs)
    folders = Prefixes(path + b"/" for path in paths)
    patterns = Patterns([output.pattern for output in manifest.outputs if output.pattern is not None])

    def is_output(path: bytes) -> bool:
        return (path in paths or bool(folders.find(path)) or patterns.match(path)) and not ignored.match(path)

    return is_output


def _open_result(after: After, copies: Mapping[bytes, list[Copy]], snapshots: bytes) -> Callable[[], int | None]:
    return lambda: open_left(after, copies.get(after.path, []), snapshots)


def _open_stream(stream: TracedStream, folder: bytes) -> Callable[[], int | None] | None:
    """Return what opens the content of a standard stream; None where not all of it was kept."""
    if stream.joined or stream.sha256 is None or stream.size is None:
        return None
    path, begin = stream.path, stream.begin
    if stream.file is not None:
        if stream.kept != stream.size:
            return None
        path, begin = os.path.join(folder, os.fsencode(stream.file)), 0
    elif stream.kind != "file" or path is None or stream.end is None or stream.end - begin != stream.size:
        return None
    place = path

    def open_it() -> int | None:
        try:
            descriptor = open_content(place)
        except OSError:  # it is gone
            return None
        os.lseek(descriptor, begin, os.SEEK_SET)
        return descriptor

    return open_it


def _read(descriptor: int, size: int) -> Iterator[bytes]:
    """Yield at most ``size`` bytes from where a descriptor stands."""
    for part in read_parts(descriptor):
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return
