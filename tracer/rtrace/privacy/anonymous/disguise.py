"""An anonymous bundle: neutral names of the same length in the place of those of the user and the host."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.files.patterns import Patterns
from rtrace.files.reading import open_content, read_parts
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.files.xattrs import read_attributes
from rtrace.manifest.model import Manifest, Notice
from rtrace.packages.caches.shipped import is_as_shipped
from rtrace.packages.generated import find_source
from rtrace.packages.language.python import SITE
from rtrace.printable import printable
from rtrace.privacy.anonymous.attribute_ids import map_ids
from rtrace.privacy.anonymous.person import avoid, find_names, find_people
from rtrace.privacy.rewriting import DatabaseRewriter, rewrite_value
from rtrace.privacy.rules.rule import ANYWHERE, NOTHING, Rule
from rtrace.privacy.searching.matching import Matcher

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.entry import Entry, Result
    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.files.xattrs import Attributes
    from rtrace.manifest.model import Output, Run
    from rtrace.trace.reader import After

_EDGE = 1 << 10  # more than any name is long
_SUBSTRING = 6  # a name of so many bytes is hidden within longer words as well
_FIRST_ID = 1000  # where ids of people begin
_LAST_ID = 65533
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd", b"\x89PNG", b"7z\xbc\xaf")
_VARIABLES = (b"SSH_CLIENT", b"SSH_CONNECTION")
_ADDRESSES = re.compile(rb"(?:\A|(?<=\0))(" + b"|".join(_VARIABLES) + rb")=[^\0]*")
_ACCOUNTS = (b"/etc/passwd", b"/etc/group")
_SYSTEM_FILES = (*_ACCOUNTS, b"/etc/hostname", b"/etc/hosts")
_ID = re.compile(rb"0|[1-9][0-9]{0,9}")
_SHOWN = 5


class Disguise:
    """Gives everything that goes into a bundle its neutral names.

    Until an item is written it has its own path, by which everybody knows it. ``named`` are patterns of files that
    may hold names nevertheless.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        manifest: Manifest,
        streams: Path,
        named: Iterable[bytes] = (),
    ) -> None:
        found, self._short = find_names(manifest.runs)
        names = avoid(
            found,
            lambda word: (
                connection.execute("SELECT 1 FROM paths WHERE instr(path, ?) LIMIT 1", (word,)).fetchone() is not None
            ),
        )
        self._stand_ins = {
            Rule("name", "a name", ANYWHERE, _pattern(name), (name.lower(),), NOTHING, 1): stand_in
            for name, stand_in in names.items()
        }
        self._matcher = Matcher(self._stand_ins)
        self._named = Patterns(named)
        self._packages = {package.name: package for package in manifest.packages}
        self._renamed = False
        self._shipped: set[bytes] = set()
        self._compiled: set[bytes] = set()
        self._ids: dict[int, int] = {}
        for run in manifest.runs:
            for number in (run.uid, run.gid, *run.groups):
                self._map_id(number)
        self._streams = {
            (run, descriptor): streams / file
            for run, descriptor, file in connection.execute(
                "SELECT runs.name, descriptor, file FROM streams JOIN runs ON runs.id = streams.run"
                " WHERE file NOT NULL AND kept = size"
            )
        }
        self._people = find_people(path for (path,) in connection.execute("SELECT path FROM paths"))
        self._originals: dict[bytes, bytes] = {}
        self._compressed: list[bytes] = []

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Tell where names may be that nobody saw."""
        notices = []
        if self._compressed:
            shown = ", ".join(map(printable, self._compressed[:_SHOWN]))
            more = f" and {len(self._compressed) - _SHOWN} more" if len(self._compressed) > _SHOWN else ""
            what = f"what is compressed within files was not searched for names: {shown}{more}"
            notices.append(Notice("anonymous", what, "look into them, and leave them out if need be"))
        if self._short:
            what = "a name of the user or host is too short to be told from other text: files were not searched for it"
            notices.append(Notice("anonymous", what, "trace under a longer name if that matters"))
        return tuple(notices)

    @property
    def others(self) -> tuple[Notice, ...]:
        """Tell whoever packs, and not the bundle, which other people its paths name."""
        people = [home for home in self._people if self.rewrite(home) == home]
        if not people:
            return ()
        shown = ", ".join(map(printable, people[:_SHOWN]))
        more = f" and {len(people) - _SHOWN} more" if len(people) > _SHOWN else ""
        what = f"paths that name other people stay as they are: {shown}{more}"
        return (Notice("anonymous", what, "trace again where these are called otherwise if they tell who you are"),)

    def rewrite(self, text: bytes, *, in_paths: bool = False) -> bytes:
        """Give a text with neutral names, on request only where one begins a part of a path."""
        spans = self._matcher.find(text, is_head=False)
        if in_paths:
            spans = [span for span in spans if _is_in_path(text, span.begin)]
        if not spans:
            return text
        done, parts = 0, []
        for span in sorted(spans, key=lambda span: (span.begin, -span.end)):
            if span.begin >= done:
                parts += [text[done : span.begin], _in_case(text[span.begin : span.end], self._stand_ins[span.rule])]
                done = span.end
        return b"".join((*parts, text[done:]))

    def rewrite_manifest(self, manifest: Manifest) -> Manifest:
        """Give a manifest with neutral names, owners and machines."""
        disguised = rewrite_value(manifest, self.rewrite)
        runs = zip(manifest.runs, disguised.runs, strict=True)
        return replace(disguised, runs=tuple(self._rewrite_run(run, other) for run, other in runs))

    def _rewrite_run(self, original: Run, run: Run) -> Run:
        return replace(
            run,
            hostname=os.fsdecode(self._rewrite_field(os.fsencode(run.hostname))),
            uid=self._map_id(run.uid),
            gid=self._map_id(run.gid),
            groups=tuple(map(self._map_id, run.groups)),
            system=(run.system[0], _plain_release(run.system[1])),
            environ=tuple(
                (name, b"redacted" if name in _VARIABLES else value and self._rewrite_field(value))
                for name, value in run.environ
            ),
            stdout=self._rewrite_output(original.id, 1, run.stdout),
            stderr=self._rewrite_output(original.id, 2, run.stderr),
        )

    def _rewrite_field(self, value: bytes) -> bytes:
        """Give a value in which names stand alone, as they may be too short to be looked for elsewhere."""
        return self._short.get(value, value)

    def _rewrite_environ(self, blob: bytes) -> bytes:
        items = (item.partition(b"=") for item in blob.split(b"\0"))
        return _ADDRESSES.sub(
            rb"\1=redacted", b"\0".join(name + equals + self._rewrite_field(value) for name, equals, value in items)
        )

    def _rewrite_output(self, run: str, descriptor: int, output: Output | None) -> Output | None:
        """Give an output with the digest that a replay under the neutral names has."""
        file = self._streams.get((run, descriptor))
        if output is None or output.sha256 is None or file is None:
            return output
        digest = self._digest(os.fsencode(file))
        return output if digest is None else replace(output, sha256=digest)

    def arrange(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Bring items into the order of their neutral paths; of hard links the first one holds the content."""
        self._originals = {self.rewrite(item.entry.path): item.entry.path for item in items}
        self._people = tuple(sorted({*self._people, *find_people(item.entry.path for item in items)}))
        self._renamed = any(map(self._is_renamed, items))
        by_path = {item.entry.path: item for item in items}
        groups: dict[bytes, list[bytes]] = {}
        for item in items:
            if item.entry.link is not None:
                groups.setdefault(item.entry.link, []).append(item.entry.path)
        for head, links in groups.items():
            first = min((head, *links), key=self.rewrite)
            if first != head:
                holder = by_path[head]
                mtime_ns = holder.entry.mtime_ns if _has_own_time(holder) else holder.mtime_ns
                for path in (head, *links):
                    entry = by_path[path].entry._replace(link=None if path == first else first)
                    by_path[path] = (
                        holder._replace(entry=entry, mtime_ns=mtime_ns)
                        if path == first
                        else by_path[path]._replace(entry=entry, source=None)
                    )
        return tuple(by_path[self._originals[path]] for path in sorted(self._originals))

    def _is_renamed(self, item: Item) -> bool:
        """Whether a module of a distribution is called by a name: then it is another in all that names the module."""
        match = SITE.match(item.entry.path) if item.entry.package is not None else None
        inside = b"" if match is None else item.entry.path[len(match[1]) :]
        return self.rewrite(inside) != inside

    def put_on(self, item: Item, folder: Path) -> Item:
        """Give an item with neutral names in path, target, owner and content."""
        entry = item.entry
        mtime_ns = entry.mtime_ns if _has_own_time(item) else item.mtime_ns
        source, size = item.source, entry.size
        if source is not None and not (entry.placeholder or entry.elsewhere):
            source, size = self._rewrite_file(entry, source, size, folder)
        attributes, touched = item.attributes, item.ctime_ns
        if attributes is None and entry.type is not FileType.SYMLINK:
            attributes = read_attributes(item.source or entry.path)[0]
        if source is not None and source != item.source and touched == os.stat(item.source or entry.path).st_ctime_ns:
            touched = None  # the copy's is another in any case
        disguised = rewrite_value(entry, self.rewrite)._replace(
            uid=self._map_id(entry.uid), gid=self._map_id(entry.gid), size=size
        )
        return item._replace(
            entry=disguised,
            source=source,
            mtime_ns=mtime_ns,
            ctime_ns=touched,
            attributes=self._rewrite_attributes(attributes),
        )

    def _rewrite_attributes(self, attributes: Attributes | None) -> Attributes | None:
        """Give extended attributes with neutral names and ids; None stays None."""
        return attributes and tuple(
            (self.rewrite(name), self.rewrite(map_ids(name, value, self._map_id))) for name, value in attributes
        )

    def _rewrite_file(self, entry: Entry, source: bytes, size: int, folder: Path) -> tuple[bytes, int]:
        """Copy a file with neutral names if it holds others; give the file to be packed and its size.

        What everybody has who has its package tells nobody's name: there it is an ordinary word.
        """
        path = entry.path
        try:
            with open(source, "rb", opener=open_content) as file:
                occurs = path in _SYSTEM_FILES or self.occurs(read_parts(file.fileno()))
                if occurs and self._is_shipped(entry, source):
                    self._shipped.add(path)
                    return source, size
                if _is_compressed(os.pread(file.fileno(), 8, 0)):
                    if not entry.is_published:
                        self._compressed.append(path)
                    return source, size
                if not occurs:
                    return source, size
                state = os.fstat(file.fileno())
                os.lseek(file.fileno(), 0, os.SEEK_SET)
                copy = os.path.join(os.fsencode(folder), b"disguised")
                with open(copy, "wb") as target:
                    if path in _SYSTEM_FILES:
                        content = self._rewrite_system_file(path, file.read())
                        size += len(content) - state.st_size
                        target.write(content)
                    else:
                        in_paths = self._is_compiled(entry)
                        target.writelines(self._rewrite_parts(read_parts(file.fileno()), in_paths=in_paths))
        except OSError:
            return source, size  # gone or unreadable: whoever packs it says so
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        return copy, size

    def _is_shipped(self, entry: Entry, content: bytes) -> bool:
        """Whether a file is as its package brought it, or is what dpkg had compiled of such a file."""
        package = self._packages.get(entry.package or "")
        if package is None or entry.path in _SYSTEM_FILES or not entry.is_published:
            return False
        if package.manager == "dpkg":
            original = find_source(entry.path) if entry.belonging == "compiled" else entry.path
            return is_as_shipped(original, content if original == entry.path else original, package)
        return not self._renamed and entry.belonging is None and is_as_shipped(entry.path, content, package)

    def _is_compiled(self, entry: Entry) -> bool:
        """Whether Python compiled a file of one that is as its distribution brought it: it holds the path of that."""
        package = self._packages.get(entry.package or "")
        original = find_source(entry.path)
        if package is None or self._renamed or original == entry.path:
            return False
        if not is_as_shipped(original, original, package):
            return False
        self._compiled.add(entry.path)
        return True

    def _rewrite_system_file(self, path: bytes, content: bytes) -> bytes:
        """Give hostname(5), hosts(5), passwd(5) or group(5) with neutral names and the ids that go with them."""
        words = re.split(rb"([\s:,]+)", self.rewrite(content))
        if path in _ACCOUNTS:
            words = [b"%d" % self._map_id(int(word)) if _ID.fullmatch(word) else word for word in words]
        return b"".join(map(self._rewrite_field, words))

    def _rewrite_parts(self, parts: Iterator[bytes], *, in_paths: bool = False) -> Iterator[bytes]:
        for new, begin, end in self._look(parts):
            yield self.rewrite(new, in_paths=in_paths)[begin:end]

    def occurs(self, parts: Iterator[bytes], *, in_paths: bool = False) -> bool:
        """Tell whether a name is in a text that comes in parts, on request where it begins a part of a path."""
        for text, begin, end in self._look(parts):
            for span in self._matcher.find(text, is_head=False):
                if in_paths and not _is_in_path(text, span.begin):
                    continue
                # At the edges it may be but a part of a longer word; then the next text, or the last one, has all.
                if (span.begin or not begin) and (span.end < len(text) or end == len(text)):
                    return True
        return False

    def _look(self, parts: Iterator[bytes]) -> Iterator[tuple[bytes, int, int]]:
        """Give texts that overlap, and the place in each that is its own."""
        tail, own = b"", 0
        following = next(parts, b"")
        while following:
            text, following = tail + following, next(parts, b"")
            end = len(text) if not following else max(own, len(text) - _EDGE)
            yield text, own, end
            tail = text[max(0, end - _EDGE) :]
            own = end - max(0, end - _EDGE)

    def _digest(self, path: bytes, after: After | None = None) -> str | None:
        """Hash a file as it is under neutral names; None if it holds no name, or is not what a run left."""
        try:
            with open(path, "rb", opener=open_content) as file:
                state = os.fstat(file.fileno())
                left = None if after is None else (after.size, after.mtime_ns, after.inode)
                if left not in {None, (state.st_size, keep_time(state.st_mtime_ns), keep_inode(state.st_ino))}:
                    return None
                if _is_compressed(os.pread(file.fileno(), 8, 0)) or not self.occurs(read_parts(file.fileno())):
                    return None
                os.lseek(file.fileno(), 0, os.SEEK_SET)
                digest = hashlib.sha256()
                for part in self._rewrite_parts(read_parts(file.fileno())):
                    digest.update(part)
                return digest.hexdigest()
        except OSError:
            return None

    def rewrite_results(self, results: Iterable[Result], left: Iterable[After], names: dict[int, str]) -> list[Result]:
        """Give results with neutral names, and the digests that their contents have under these."""
        afters = {(names[after.run], after.path): after for after in left}
        found = []
        for result in results:
            digest = None
            if result.sha256 is not None:
                digest = self._digest(result.path, afters.get((result.run, result.path)))
            found.append(
                replace(
                    result,
                    path=self.rewrite(result.path),
                    target=None if result.target is None else self.rewrite(result.target),
                    sha256=digest or result.sha256,
                )
            )
        order = {run: number for number, run in enumerate(dict.fromkeys(result.run for result in found))}
        return sorted(found, key=lambda result: (order[result.run], result.path))

    def rewrite_database(self, database: Path) -> None:
        """Give a copy of the trace database neutral names, owners and machines, down to its free pages."""
        rewriter = DatabaseRewriter(database)
        rewriter.rewrite_everything(self.rewrite)
        connection = rewriter.connection
        connection.create_function("map_id", 1, lambda number: None if number is None else self._map_id(number))
        connection.create_function("map_ids", 1, self._map_text)
        connection.create_function("plain", 1, _plain_release)
        connection.create_function("neutral", 1, self._rewrite_environ)
        connection.create_function("host", 1, lambda host: os.fsdecode(self._rewrite_field(os.fsencode(host))))
        connection.create_function("map_ids_in", 2, lambda name, value: map_ids(name, value, self._map_id))
        connection.execute("UPDATE facts SET uid = map_id(uid), gid = map_id(gid)")
        connection.execute("UPDATE attributes SET value = map_ids_in(name, value) WHERE value IS NOT NULL")
        connection.execute(
            "UPDATE runs SET uid = map_id(uid), gid = map_id(gid), groups = map_ids(groups), release = plain(release),"
            " environ = neutral(environ), hostname = host(hostname)"
        )
        connection.execute("UPDATE environments SET content = neutral(content)")
        rewriter.finish()

    def find_names(self, path: bytes, parts: Iterator[bytes]) -> bytes | None:
        """Give the own path of a written file that holds a name and may not; the path is the neutral one."""
        original = self._originals.get(path, path)
        if original in self._shipped or self._named.match(original):
            return None
        return original if self.occurs(parts, in_paths=original in self._compiled) else None

    def _map_id(self, number: int) -> int:
        if not _FIRST_ID <= number <= _LAST_ID:
            return number
        return self._ids.setdefault(number, _FIRST_ID + len(self._ids))

    def _map_text(self, groups: str) -> str:
        return re.sub(r"[0-9]+", lambda match: str(self._map_id(int(match[0]))), groups)


def _pattern(name: bytes) -> re.Pattern[bytes]:
    escaped = re.escape(name)
    if len(name) < _SUBSTRING:
        escaped = rb"(?<![A-Za-z0-9])" + escaped + rb"(?![A-Za-z0-9])"
    return re.compile(escaped, re.IGNORECASE)


def _is_in_path(text: bytes, place: int) -> bool:
    return text[place - 1 : place] == b"/"


def _in_case(original: bytes, stand_in: bytes) -> bytes:
    if original.isupper():
        return stand_in.upper()
    return stand_in.capitalize() if original[:1].isupper() and not original[1:2].isupper() else stand_in


def _has_own_time(item: Item) -> bool:
    return item.mtime_ns is None and item.source == item.entry.path


def _is_compressed(beginning: bytes) -> bool:
    return beginning.startswith(_COMPRESSED)


def _plain_release(release: str) -> str:
    found = re.match(r"[0-9.]+", release)
    return found[0] if found else release
