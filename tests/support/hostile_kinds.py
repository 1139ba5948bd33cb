"""Every kind of hostile or broken bundle of rtrace that a test refuses, in one table, each with words of its sentence.

All are made from one bundle that rtrace's own packer wrote. It is taken apart, broken in one place, and put together
again with everything else right, digests and offsets included: so each is refused for what is broken alone.
"""

import functools
import hashlib
import io
import json
import re
import sqlite3
import struct
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zstandard

from fuzz.sealing import seal
from fuzz.sections import join
from fuzz.seeds import make_bundle
from rtrace.bundle import members, tar
from rtrace.bundle.data.layout import header_size, room
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.index.dumping import dump_entry

UNPACK = ("unpack", "chroot", "BUNDLE", "target")
CHECK = ("check", "BUNDLE")
AUDIT = ("audit", "BUNDLE")


@dataclass(frozen=True)
class Kind:
    """How to make the bundle, words of the sentence, and the command that says it: unpacking needs not all members.

    `rtrace check`, whose answer it is that a bundle is damaged, gives that on standard output and exits with 1.
    """

    make: Callable[[], bytes]
    words: str
    command: tuple[str, ...] = UNPACK

    @property
    def status(self) -> int:
        """The exit status."""
        return 1 if self.command == CHECK else 125


@functools.cache
def parts() -> dict[str, bytes]:
    """The parts of the bundle that is broken, in the open form of `fuzz.sections`."""
    return make_bundle()


@functools.cache
def whole() -> bytes:
    """The bundle before it is broken."""
    return seal(join(parts()))


@functools.cache
def places() -> dict[str, tuple[int, int]]:
    """Where the content of each member begins and ends."""
    with tarfile.open(fileobj=io.BytesIO(whole())) as outer:
        return {member.name: (member.offset_data, member.offset_data + member.size) for member in outer}


def change(content: bytes, old: str, new: bytes | str) -> bytes:
    """Replace what a pattern finds first, which has to be there."""
    changed, count = re.subn(old.encode(), lambda _: new if isinstance(new, bytes) else new.encode(), content, count=1)
    assert count == 1, old
    return changed


def manifest(old: str, new: bytes | str) -> Callable[[], bytes]:
    """Change the manifest; its identity and the digests are right."""
    return lambda: seal(join({**parts(), "manifest": change(parts()["manifest"], old, new)}))


def given(descriptors: str) -> Callable[[], bytes]:
    """Give the run descriptors."""
    return manifest('umask: "?0022"?', f'umask: "0022"\n    descriptors: [{descriptors}]')


def line(place: object, **changes: object) -> Callable[[], bytes]:
    """Change keys of the entry at a path; None takes a key away. Digests, offsets and data are right."""

    def make() -> bytes:
        lines = []
        for text in parts()["files"].splitlines(keepends=True):
            entry = json.loads(text)
            if entry["path"] == place:
                entry = {key: value for key, value in {**entry, **changes}.items() if value is not None}
                lines.append(json.dumps(entry, ensure_ascii=True).encode() + b"\n")
            else:
                lines.append(text)
        return seal(join({**parts(), "files": b"".join(lines)}))

    return make


def index(content: bytes, plan: bytes = b"") -> Callable[[], bytes]:
    """Put something else in the place of the index."""
    return lambda: seal(join({"plan": plan, **parts(), "files": content}))


def index_line(old: str, new: bytes | str, plan: bytes = b"") -> Callable[[], bytes]:
    """Change the text of the index."""
    return lambda: seal(join({"plan": plan, **parts(), "files": change(parts()["files"], old, new)}))


def results(old: str, new: bytes | str) -> Callable[[], bytes]:
    """Change the text of the results."""
    return lambda: seal(join({**parts(), "results": change(parts()["results"], old, new)}))


def planned(plan: bytes, **changes: bytes) -> Callable[[], bytes]:
    """Put the bundle together as a plan of `fuzz.sealing.seal` says."""
    return lambda: seal(join({"plan": plan, **parts(), **changes}))


def outside(make: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Change the bytes of the whole bundle."""
    return lambda: make(whole())


def cut_in(name: str) -> Callable[[], bytes]:
    """End within the content of a member, or, of one that has none to speak of, in its header."""
    return lambda: whole()[: sum(places()[name]) // 2]


def member(name: str, content: bytes | Callable[[bytes], bytes], *, header: bytes | None = None) -> Callable[[], bytes]:
    """Replace a member of the bundle as it lies in the file, with digests and identity that fit."""

    def make() -> bytes:
        found = {key: whole()[start:end] for key, (start, end) in places().items()}
        found[name] = content if isinstance(content, bytes) else content(found[name])
        return assemble(found, {name: header} if header else {})

    return make


def assemble(found: dict[str, bytes], headers: dict[str, bytes]) -> bytes:
    """Write members as a bundle."""
    text = found[members.MANIFEST].split(b"digests:\n")[0] + b"digests:\n"
    text += b"".join(
        b"  %b: %b\n" % (n.encode(), hashlib.sha256(found[n]).hexdigest().encode())
        for n in (*members.DIGESTED, *members.DIGESTED_IF_THERE)
        if n in found
    )
    found[members.MANIFEST] = text
    found[members.IDENTITY] = (members.IDENTITY_TEXT % hashlib.sha256(text).hexdigest()).encode()
    written = (
        headers.get(name, tar.header(name.encode(), tar.REGULAR, len(content))) + content + tar.padding(len(content))
        for name, content in found.items()
    )
    return b"".join(written) + tar.END


def wrong_digest(name: str, digest: str = "0" * 64) -> Callable[[], bytes]:
    """Give one member another digest than it has."""

    def make() -> bytes:
        found = {n: hashlib.sha256(whole()[start:end]).hexdigest() for n, (start, end) in places().items()}
        found[name] = digest
        lines = "".join(f"  {n}: {found[n]}\n" for n in (*members.DIGESTED, *members.DIGESTED_IF_THERE) if n in found)
        return planned(b"D", manifest=parts()["manifest"] + f"digests:\n{lines}".encode())()

    return make


def table(frames: int, *items: tuple[int, int]) -> bytes:
    """Write a seek table."""
    rest = b"".join(struct.pack("<II", *item) for item in items) + struct.pack("<IBI", frames, 0, 0x8F92EAB1)
    return struct.pack("<II", 0x184D2A5E, len(rest)) + rest


def frame_of(data: bytes) -> bytes:
    """Return the one frame of the data."""
    return data[:-25]


def data(make: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Change the compressed data, given its one frame."""
    return member(members.DATA, lambda content: make(frame_of(content)))


def size_of(frame: bytes) -> int:
    """Return what a frame holds."""
    size: int = zstandard.frame_content_size(frame)
    return size


def stream(make: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Change the data stream, compressed anew."""

    def broken(frame: bytes) -> bytes:
        content = make(zstandard.decompress(frame))
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(content)
        return packed + table(1, (len(packed), len(content)))

    return data(broken)


def traced(*statements: str) -> Callable[[], bytes]:
    """Put another database in the place of the trace."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x"
            connection = sqlite3.connect(path)
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            connection.close()
            return planned(b"", trace=path.read_bytes())()

    return make


TABLES = ("CREATE TABLE environments(id, content)", "CREATE TABLE paths(id, path)")
ENDLESS = "CREATE VIEW executions AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
BLOB = "content BLOB GENERATED ALWAYS AS (zeroblob(1000000000)) VIRTUAL"
GIGABYTES = (
    f"CREATE TABLE environments(id INTEGER PRIMARY KEY, seed INTEGER, {BLOB})",
    "CREATE TABLE executions(id, path, argv)",
    "INSERT INTO environments(id, seed) VALUES (1, 1)",
)
MULTIPLYING = (
    "CREATE TABLE environments(id, content)",
    "CREATE TABLE paths(id, path)",
    "CREATE TABLE executions(id, path, argv)",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT 1 FROM n LIMIT 20000) INSERT INTO paths SELECT x, x'2f' FROM n",
    "INSERT INTO executions SELECT 1, 1, x'00' FROM paths",
)
"""Every execution is of every path: four hundred million rows in half a megabyte."""
DEEP = b"[" * 100 + b"]" * 100
NUMBER = b"9" * 5000


def many_lines(name: str, make: Callable[[int], bytes], count: int) -> Callable[[], bytes]:
    """Put an index of as many lines in the place of another, the digests right."""
    return member(
        name, lambda _: zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(map(make, range(count))))
    )


def wide_window() -> bytes:
    """Return a frame that is decompressed with all of its 16 MiB in memory."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=24, write_checksum=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(1 << 24))


def short(number: int) -> bytes:
    """Write a line that is as short as can be."""
    return b'{"gid":0,"mode":0,"mtime_ns":0,"path":"/%07x","type":"fifo","uid":0}\n' % number


def described(number: int, **keys: object) -> bytes:
    """Write the line of an entry, a FIFO unless told otherwise."""
    entry = {"gid": 0, "mode": 0, "mtime_ns": 0, "path": f"/{number:07x}", "type": "fifo", "uid": 0, **keys}
    return json.dumps(entry, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def placed(*entries: Entry) -> Callable[[], bytes]:
    """Put an index of entries in the place of another, the offsets right, as if the data were there."""

    def make() -> bytes:
        lines, offset = [], 0
        for entry in entries:
            offset += header_size(entry)
            lines.append(dump_entry(entry, entry.size, "0" * 64, offset).encode())
            offset += room(entry)
        return planned(b"L", files=b"".join(lines), data=b"x")()

    return make


def regular(number: int, size: int, segments: tuple[tuple[int, int], ...] | None = None) -> Entry:
    """Describe a regular file with content."""
    return Entry(b"/%07d" % number, FileType.REGULAR, 0, 0, 0, 0, size, "0" * 64, offset=0, segments=segments)


def lost(number: int) -> bytes:
    """Write the line of an entry far below folders that are no entries."""
    return described(number, path=f"/{number:07x}" + "/a" * 1900)


def elsewhere(**changes: object) -> Callable[[], bytes]:
    """Tell in the manifest of a file that is elsewhere, and give its entry these keys."""
    told = {"path": F, "size": 8, "sha256": "a" * 64}
    text = "elsewhere: [" + json.dumps(told) + "]\n"

    def make() -> bytes:
        broken = change(parts()["manifest"], "\nexclude:", f"\n{text}exclude:")
        files = line(F, **changes)() if changes else None
        found = parts()["files"] if files is None else zstandard.decompress(sections(files)[members.FILES])
        return planned(b"L", manifest=broken, files=found)()

    return make


def sections(content: bytes) -> dict[str, bytes]:
    """Take a bundle apart."""
    with tarfile.open(fileobj=io.BytesIO(content)) as outer:
        found = {member.name: outer.extractfile(member) for member in outer}
    return {name: file.read() for name, file in found.items() if file is not None}


F, FIFO, LINK, HARD, OUTLINE, FOLDER = "/data/f", "/data/fifo", "/data/l", "/data/h", "/data/p", "/data"

COPY = {"base64": "L2RhdGEvbm90LXV0Zjgt/w=="}

KINDS: dict[str, Kind] = {
    # the outside
    "an empty file": Kind(lambda: b"", "is empty, not a bundle"),
    "something else": Kind(lambda: b"hello" * 1000, "is not a bundle"),
    "a newer format": Kind(
        outside(lambda old: old.replace(b"BUNDLE 1\n", b"BUNDLE 2\n")), r"newer rtrace \(bundle format 2\)"
    ),
    "a format that never was": Kind(
        outside(lambda old: old.replace(b"BUNDLE 1\n", b"BUNDLE 0\n")), "its version is not what was packed"
    ),
    "a version that goes on": Kind(member(members.VERSION, members.VERSION_TEXT + b"x"), "version is larger than any"),
    **{
        f"cut off in {name}": Kind(cut_in(name), f"is cut off in {name}")
        for name in members.MEMBERS
        if name not in {members.WRITTEN, members.WRITTEN_DATA}  # which this bundle has not
    },
    "cut off after its members": Kind(outside(lambda old: old[:-700]), "is cut off after its last member"),
    "appended bytes": Kind(outside(lambda old: old + b"x"), "something after its last member"),
    "ends in no zeros": Kind(outside(lambda old: old[:-5] + b"x" * 5), "instead of the zeros that end it"),
    "padding with something in it": Kind(
        outside(lambda old: old[: places()[members.MANIFEST][1]] + b"x" + old[places()[members.MANIFEST][1] + 1 :]),
        "something between METADATA/manifest.yml and",
    ),
    "a manifest of 17 MiB": Kind(
        member(members.MANIFEST, b"#" * (17 << 20) + b"\n"), "manifest.yml is larger than any"
    ),
    "members out of order": Kind(planned(b"O"), "where METADATA/files.jsonl.zst should begin"),
    "a member twice": Kind(planned(b"P"), "where METADATA/results.jsonl.zst should begin"),
    "a member that is a symlink": Kind(
        member(members.TRACE, b"", header=tar.header(members.TRACE.encode(), tar.SYMLINK, link=b"/etc/passwd")),
        "where METADATA/trace.sqlite3 should begin",
    ),
    "a member of a negative size": Kind(
        member(members.DATA, b"", header=tar.header(members.DATA.encode(), tar.REGULAR, (1 << 63) - 1)),
        "where DATA.tar.zst should begin",
    ),
    "another identity": Kind(planned(b"I"), "its manifest is not the one that was packed"),
    "an index with another digest": Kind(wrong_digest(members.FILES), "files.jsonl.zst is not what was packed"),
    # the manifest
    "a YAML bomb": Kind(manifest("exclude:", "a: &a [x, x]\nb: &b [*a, *a]\nexclude:"), "anchors and aliases"),
    "a YAML tag": Kind(
        manifest("hostname: box", "hostname: !!python/object/apply:os.system [id]"), "the tag .*os.system' is"
    ),
    "YAML nested deeply": Kind(manifest("hostname: box", b"hostname: " + DEEP), "nested too deeply"),
    "two documents": Kind(planned(b"D", manifest=b"version: 1\n---\nversion: 1\n"), "a second one begins here"),
    "no YAML": Kind(manifest("hostname: box", "hostname: {box"), "has no closing }"),
    "a manifest that is empty": Kind(planned(b"D", manifest=b"# nothing\n"), "the manifest is empty"),
    "a manifest that is a list": Kind(planned(b"D", manifest=b"- x\n"), "has to be a mapping; its first key"),
    "a manifest that is no UTF-8": Kind(manifest("hostname: box", b"hostname: b\xffx"), "this is not UTF-8"),
    "a character that YAML forbids": Kind(
        manifest("hostname: box", b"hostname: b\x01x"), "character is not allowed in YAML"
    ),
    "a newer manifest": Kind(manifest("version: 1", "version: 9"), "this manifest has format 9"),
    "an unknown key": Kind(manifest("hostname: box", "hostnane: box"), "has no key 'hostnane'; did you mean hostname"),
    "a key twice": Kind(manifest("hostname: box", "hostname: box\n    hostname: box"), "'hostname' occurs twice"),
    "a key that is missing": Kind(manifest("    hostname: box\n", ""), "lacks the key 'hostname'"),
    "an integer of 5000 digits": Kind(manifest("uid: 1000", b"uid: " + NUMBER), "a whole number is expected here"),
    "a user below zero": Kind(manifest("uid: 1000", "uid: -1"), "a number that is not negative is expected"),
    "a time without an end": Kind(
        manifest("started: [0-9.]+", "started: 1e999"), "a number is expected here, not '1e999'"
    ),
    "an umask of another base": Kind(manifest('umask: "?0022"?', 'umask: "0999"'), "octal digits up to"),
    "a descriptor of rtrace's own": Kind(
        given("{descriptor: 4, kind: same, same: 3}"), "descriptor 3 is not above, for 4 to be the same"
    ),
    "a descriptor that is itself": Kind(
        given("{descriptor: 4, kind: same, same: 4}"), "`same` goes with `kind: same`, and is the number of a lower"
    ),
    "a descriptor beyond all": Kind(
        given("{descriptor: 70000, kind: 'null'}"), "a replay has no descriptor above 1023"
    ),
    "a descriptor twice": Kind(
        given("{descriptor: 4, kind: 'null'}, {descriptor: 4, kind: 'null'}"), "a descriptor is here twice"
    ),
    "a descriptor in the place of an output": Kind(
        given("{descriptor: 1, kind: file, path: /data/f}"), "a standard stream is `closed` here"
    ),
    "a descriptor that creates files": Kind(
        given("{descriptor: 4, kind: file, path: /data/f, access: create}"), "'create' is not a way to open a file"
    ),
    "a list that is a mapping": Kind(manifest("groups: \\[4, 1000\\]", "groups: {a: b}"), "a list is expected here"),
    "a NUL in an argument": Kind(manifest(r"argv: \[", 'argv: ["\\0", '), "may not hold a NUL character"),
    "bytes that are no base64": Kind(manifest('ODD: !!binary "[^"]*"', 'ODD: !!binary "*"'), "is not base64"),
    "a program without a path": Kind(
        manifest("binary: /data/run.sh", "binary: ''"), "the file of a program is expected here"
    ),
    "an output of no run": Kind(manifest(r"runs: \[run1\]", "runs: [run9]"), "names the run 'run9'"),
    "a digest that is none": Kind(wrong_digest(members.FILES, "x" * 64), "64 hexadecimal digits"),
    "no digests": Kind(planned(b"D"), "lacks the digest of METADATA/files.jsonl.zst"),
    # the indexes
    "an index that is no zstd": Kind(member(members.FILES, b"x" * 100), "it is not a zstd frame"),
    "a zstd bomb of an index": Kind(
        member(members.FILES, lambda _: zstandard.compress(bytes(300 << 20))), "314572800 bytes long when decompressed"
    ),
    "an index of one endless line": Kind(
        member(members.FILES, lambda _: zstandard.compress(b"[" * (200 << 20) + b"\n")), "line 1 is longer than any"
    ),
    "an index that hides its size": Kind(planned(b"N"), "does not tell its size"),
    "an index with another size": Kind(planned(b"W"), "METADATA/files.jsonl.zst: a frame cannot be decompressed"),
    "an index cut off": Kind(index_line(r"\n\Z", ""), "its last line is cut off"),
    "an index that is no JSON": Kind(index(b"{\n", b"L"), "line 1 is not JSON"),
    "an index that is no UTF-8": Kind(index(b'"\xff"\n', b"L"), "line 1 is not UTF-8"),
    "a line that is a list": Kind(index(b"[]\n", b"L"), "not one JSON object"),
    "a line nested deeply": Kind(
        index(b'{"path":' + b"[" * 9000 + b"]" * 9000 + b"}\n", b"L"), "line 1 is nested too deeply"
    ),
    "a number of 5000 digits": Kind(index_line('"mode":493', b'"mode":' + NUMBER), "number that is too large"),
    "no number": Kind(index_line('"mode":493', '"mode":NaN'), "line 1 has NaN"),
    "a truth for a number": Kind(index_line('"mode":493', '"mode":true'), "no integer mode"),
    "a key of an entry twice": Kind(index_line('"gid":0', '"gid":0,"gid":0'), "a key twice"),
    "an unknown key of an entry": Kind(index_line('"gid":0', '"gid":0,"acl":1'), "the unknown key 'acl'"),
    "an entry without a path": Kind(line(FIFO, path=None), "has no path"),
    "a path that is a number": Kind(line(FIFO, path=1), "a path that is not a byte string"),
    "a target that is no base64": Kind(line(LINK, target={"base64": "*"}), "a target that is not a byte string"),
    "a digest that is a number": Kind(line(F, sha256=1), "a sha256 that is not a string"),
    # names
    "a path that climbs": Kind(line(FIFO, path="/data/../../../etc/x"), r"climbs with '\.\.'"),
    "a relative path": Kind(line(FIFO, path="data/fifo"), "a path that is not absolute"),
    "an empty path": Kind(line(FIFO, path=""), "an empty path"),
    "a dot in a path": Kind(line(FIFO, path="/data/./fifo"), "a path that is not normalised"),
    "a NUL in a path": Kind(line(FIFO, path="/data/fi\0fo"), "a NUL byte in its path"),
    "a very long name": Kind(line(FIFO, path="/data/fi" + "n" * 255), "a name longer than 255 bytes"),
    "a very long path": Kind(line(FIFO, path="/data/fi" + "/n" * 2100), "a path longer than 4095 bytes"),
    "a path twice": Kind(line(FIFO, path=F), "/data/f twice"),
    "paths out of order": Kind(line(FIFO, path="/data/a"), "/data/a out of order"),
    "a file below a symlink": Kind(
        line(FOLDER, type="symlink", target="/etc"), "below /data, which is not a directory"
    ),
    "a file below a file": Kind(line(FIFO, path="/data/f/x"), "below /data/f, which is not a directory"),
    "a root that is a FIFO": Kind(line("/", type="fifo"), "/ as something other than a directory"),
    "a file in the place of /proc": Kind(line(OUTLINE, path="/proc"), "/proc as a file"),
    # kinds of files
    "a block device": Kind(line(FIFO, type="block"), "/data/fifo as a 'block'"),
    "a character device": Kind(line(FIFO, type="char"), "/data/fifo as a 'char'"),
    "a socket": Kind(line(FIFO, type="socket"), "/data/fifo as a 'socket'"),
    "a mode with a type in it": Kind(line(FIFO, mode=0o60666), "the mode 0o60666"),
    "an owner who is nobody": Kind(line(FIFO, uid=(1 << 32) - 1), "the owner 4294967295:1000"),
    "a time beyond any": Kind(line(FIFO, mtime_ns=1 << 63), "a time that no file can have"),
    "a size below zero": Kind(line(OUTLINE, size=-1), "a size of -1 bytes"),
    "an outline larger than any file": Kind(line(OUTLINE, size=(1 << 63) - 1), "too many for a file"),
    "a FIFO with a size": Kind(line(FIFO, size=1), "a size, though it is not a regular file"),
    "a FIFO with a target": Kind(line(FIFO, target="/etc"), "a symlink's target, though it is not a symlink"),
    "a symlink to nothing": Kind(line(LINK, target=""), "a symlink to nothing"),
    "a symlink with a NUL": Kind(line(LINK, target="a\0b"), "NUL byte in a symlink's target"),
    "a symlink that is very long": Kind(line(LINK, target="/a" * 2100), "target longer than 4095"),
    "a symlink with content": Kind(line(LINK, sha256="0" * 64), "content, though it is not a regular file"),
    "a hard link to nothing": Kind(
        line(HARD, link="/data/x"), "hard link to /data/x, which is not a regular file before it"
    ),
    "a hard link to this machine": Kind(line(HARD, link="/etc/shadow"), "hard link to /etc/shadow, which"),
    "a hard link that climbs": Kind(line(HARD, link="/../etc/shadow"), r"as a hard link with a path that climbs"),
    "a relative hard link": Kind(line(HARD, link="data/f"), "as a hard link with a path that is not absolute"),
    "a hard link to a FIFO": Kind(line(HARD, link=FIFO), "hard link to /data/fifo, which"),
    "a hard link to another content": Kind(line(HARD, size=7), "whose content differs"),
    "a folder that is a hard link": Kind(line(FOLDER, link="/"), "a hard link, though it is not a regular file"),
    "a folder that is an outline": Kind(line(FOLDER, placeholder=True), "the mark of a placeholder"),
    "an outline with content": Kind(line(OUTLINE, sha256="0" * 64), "content, though it is a placeholder"),
    "a file without a digest": Kind(index_line('"sha256":"[0-9a-f]*",', "", b"L"), "no proper SHA-256"),
    "a file without a place": Kind(index_line('"offset":[0-9]*,', "", b"L"), "content at no place"),
    "a copy of nothing": Kind(line(COPY, copy_of="/data/x"), "/data/x, which"),
    "a copy of this machine's": Kind(line(COPY, copy_of="/etc/shadow"), "/etc/shadow, which"),
    "a copy of what climbs": Kind(line(COPY, copy_of="/../etc/shadow"), r"climbs with '\.\.'"),
    # the data
    "an offset elsewhere": Kind(index_line('"offset":[0-9]*', '"offset":2048', b"L"), "the offset of /data/f does not"),
    "more files than data": Kind(stream(lambda old: old[:1024]), "DATA.tar.zst is not as long as the index says"),
    "another tar header": Kind(
        stream(lambda old: old.replace(b"DATA/data/fifo", b"DATA/../../fif")), "tar header of /data/fifo does not agree"
    ),
    "another content": Kind(
        stream(lambda old: old.replace(b"content\n", b"CONTENT\n")), "content of /data/f is not what was packed"
    ),
    "a tar without an end": Kind(stream(lambda old: old[:-1024] + b"x" * 1024), "does not end as a tar does"),
    "no seek table": Kind(data(lambda frame: frame), "does not end in a seek table"),
    "a seek table longer than all": Kind(data(lambda frame: frame + table(1 << 30, (9, 9))), "longer than all of it"),
    "a seek table without a beginning": Kind(
        data(lambda frame: frame + b"\0" * 8 + table(1, (len(frame), size_of(frame)))[8:]), "no proper beginning"
    ),
    "a seek table of other sizes": Kind(
        data(lambda frame: frame + table(1, (len(frame), 5 << 20))), "gives frame 0 a size of 5242880 bytes"
    ),
    "a seek table with a frame of nothing": Kind(
        data(lambda frame: frame + table(1, (0, size_of(frame)))), "gives frame 0 0 compressed bytes"
    ),
    "a seek table that does not add up": Kind(
        data(lambda frame: frame + table(1, (len(frame) - 1, size_of(frame)))), "does not agree with its length"
    ),
    "a zstd bomb of a frame": Kind(
        data(lambda frame: (bomb := zstandard.compress(bytes(300 << 20))) + table(1, (len(bomb), size_of(frame)))),
        "a frame does not hold the",
    ),
    "a frame that is none": Kind(
        data(lambda frame: b"x" * len(frame) + table(1, (len(frame), size_of(frame)))),
        "DATA.tar.zst: a frame cannot be decompressed",
    ),
    # results
    "a result of no run": Kind(results('"run":"run1"', '"run":"run9"'), "the run 'run9', which the manifest"),
    "a result that is a device": Kind(results('"type":"file"', '"type":"block"'), "/data/out as a 'block'"),
    "a result without a type": Kind(results('"type":null,?|,"type":null', ""), "line 1 has no type"),
    "results out of order": Kind(results("/data/gone", "/data/z"), "a result for /data/l twice or out of order"),
    "a result that climbs": Kind(results("/data/gone", "/../gone"), "a result for /../gone with a path that climbs"),
    "records with another digest": Kind(wrong_digest(members.RECORDS), "records.jsonl.zst is not what", CHECK),
    "results with another digest": Kind(wrong_digest(members.RESULTS), "results.jsonl.zst is not what"),
    # what unpacking does not need
    "data with another digest": Kind(wrong_digest(members.DATA), "DATA.tar.zst is not what was packed", CHECK),
    "a trace with another digest": Kind(wrong_digest(members.TRACE), "trace.sqlite3 is not what was packed", AUDIT),
    "a trace that is no database": Kind(planned(b"", trace=b"x" * 4096), "file is not a database", AUDIT),
    "a trace that is cut off": Kind(
        lambda: seal(join({**parts(), "trace": parts()["trace"][:1000]})), "malformed", AUDIT
    ),
    "a trace of another kind": Kind(traced("CREATE TABLE x(y)"), "no table environments", AUDIT),
    "a view in the place of a table": Kind(traced(*TABLES, ENDLESS), "no table executions", AUDIT),
    "a column of gigabytes": Kind(traced(*TABLES[1:], *GIGABYTES), "environments has columns that are computed", AUDIT),
    "a trace whose rows multiply": Kind(traced(*MULTIPLYING), "interrupted", AUDIT),
    # more than any bundle holds
    "entries without number": Kind(
        many_lines(members.FILES, short, 1_600_000), "files.jsonl.zst: it has 1600000 lines, more than any"
    ),
    "results without number": Kind(
        many_lines(members.RESULTS, short, 1_600_000), "results.jsonl.zst: it has 1600000 lines, more than any"
    ),
    "an index longer than what it holds": Kind(
        member(members.FILES, lambda old: old + bytes(1 << 20)), "it has [0-9]+ bytes for the [0-9]+ that it holds"
    ),
    "an index that takes memory to decompress": Kind(
        member(members.FILES, lambda _: wide_window()), "needs a window of 16777216 bytes"
    ),
    "folders that are no entries": Kind(many_lines(members.FILES, lost, 20), "in folders that it does not list"),
    "a sparse file in more parts than any": Kind(
        placed(*(regular(n, 1 << 20, tuple((2 * part, 1) for part in range(100_000))) for n in range(11))),
        "in more than 1000000 parts with holes between them",
    ),
    "holes of two terabytes": Kind(
        line(F, size=1 << 41, segments=[[0, 1]]), "and others with more than 1099511627776 bytes of holes"
    ),
    "attributes without number": Kind(
        line(FOLDER, xattrs=[[f"user.{number:06}", ""] for number in range(6000)]),
        "more extended attributes than a file can have",
    ),
    "a package with a name of a book": Kind(line(FIFO, package="x" * 5000), "a package of too long a name"),
    "a reason that goes on": Kind(line(FIFO, reason="because " * 1000), "with a reason that is too long"),
    "an entry with a path of megabytes": Kind(
        line(FIFO, path="data" + "/x" * 1_000_000), r"holds data/x.*x\.\.\. with a path that is not absolute"
    ),
    "a kind of file with a name of megabytes": Kind(
        line(FIFO, type="x" * 2_000_000), r"as a 'x{80}\.\.\.', a kind that no bundle may hold"
    ),
    "data far larger than the bundle": Kind(
        placed(regular(0, 1 << 41)),
        r"says that its data have 2\.0 TiB, far more than [0-9.]+ KiB hold",
    ),
    "frames without content": Kind(
        data(lambda _: bytes(1000) + table(1000, *[(1, members.FRAME_SIZE)] * 1000)),
        "more frames than there can be in so many bytes",
    ),
    "a manifest of a million values": Kind(
        manifest("\nexclude:", "\nunowned: [" + "a," * 150_000 + "]\nexclude:"), "more values before this than in any"
    ),
    "environments that multiply": Kind(
        manifest(
            "inputs:",
            "".join(
                f"  - {{id: r{number}, argv: [x], binary: /x, workingdir: /, environ: "
                + ("{" + ", ".join(f"v{n}: x" for n in range(20_000)) + "}" if not number else "as r0")
                + ', uid: 0, gid: 0, umask: "0", hostname: x, architecture: x, system: [a, b], distribution: [a, b]}\n'
                for number in range(700)
            )
            + "inputs:",
        ),
        "the environments of the runs take more than 256 MiB together",
    ),
    "a key of megabytes": Kind(
        manifest("\nexclude:", "\n? " + "exclude" * 1_000_000 + "\n: x\nexclude:"),
        r"has no key '(exclude)+exc\.\.\.'; known are version",
    ),
    "quotes that are never closed": Kind(
        manifest("\nexclude:", '\nunowned: [a"' + '\\"' * 1_000_000 + " {\nexclude:"),
        r"what begins here has no closing (\]|}), or lacks a comma",
    ),
    "a pattern of thousands of wildcards": Kind(
        manifest(r'- "\*\.pyc"', "- " + "a*" * 20_000), "a pattern has at most 16380 bytes"
    ),
    "a file with a name of megabytes": Kind(
        manifest("workingdir: /[^\n]*", "workingdir: /" + "x" * 2_000_000), "a path has at most 4095 bytes"
    ),
    "an address of kilobytes": Kind(
        manifest("\nexclude:", "\nelsewhere: [{path: /x, url: 'http://x/" + "x" * 9000 + "'}]\nexclude:"),
        "a URL has at most 8192 characters",
    ),
    "content elsewhere that no entry has": Kind(elsewhere(), "its index does not tell that /data/f is elsewhere"),
    "content elsewhere that is another": Kind(
        elsewhere(elsewhere=True, offset=None, sha256="b" * 64), "do not agree about /data/f"
    ),
    "content elsewhere of which nothing is told": Kind(
        line(F, elsewhere=True, offset=None, sha256="b" * 64), "does not tell that /data/f is elsewhere"
    ),
}
