"""Show what hostile bundles cost before they are refused: peak memory and time of the processor, command by command.

`scripts/bench --hostile`: every kind is made in three sizes. What a kind does not need of its size is filled with data
that do not compress, as an author of such bundles would: the larger the bundle is, the more it may hold.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from rtrace.bundle import members, tar
from rtrace.manifest.scalars import quoted

SIZES = (2_000_000, 20_000_000, 200_000_000)
COMMANDS = ("info", "list", "check", "verify")
SECONDS = 120
"""After which a command is ended, and the table says so."""
MEMORY = 4 << 30
_ROOM = 64 << 10
"""Bytes of a bundle that are neither the part that a kind makes large nor what fills it up."""
_STEP = 1 << 20
_RUN = """\
- id: run1
  argv: [/bin/true]
  binary: /bin/true
  workingdir: /
  environ: {}
  uid: 0
  gid: 0
  umask: "0022"
  hostname: box
  architecture: x86_64
  system: [Linux, "6"]
  distribution: [debian, "12"]
"""
_MANIFEST = "version: 1\nrtrace: 0.1.0\nruns:\n" + _RUN
_LARGE_INDEX = 255 << 20
_MOST_MEMBERS = 700_000


@dataclass(frozen=True)
class Cost:
    """What a command took until it answered: seconds of the processor, bytes, and how it ended."""

    seconds: float
    peak: int
    status: int
    words: str


def compress(parts: Iterator[bytes], size: int, level: int = 19) -> bytes:
    """Compress parts of so many bytes together into a frame that says its size."""
    stream = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj(size=size)
    return b"".join([*map(stream.compress, parts), stream.flush()])


def compress_lines(make: Callable[[int], bytes], limit: int = _LARGE_INDEX, most: int = 1 << 62) -> bytes:
    """Compress the lines that a function makes of numbers, as many as fit below a limit."""
    lines, length = [], 0
    for number in range(most):
        line = make(number)
        if length + len(line) > limit:
            break
        lines.append(line)
        length += len(line)
    content = b"".join(lines)
    return compress((content[at : at + _STEP] for at in range(0, len(content), _STEP)), len(content), 3)


def seek_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """Write the seek table of frames of these sizes, compressed and not."""
    rest = b"".join(struct.pack("<II", *frame) for frame in frames) + struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)
    return struct.pack("<II", 0x184D2A5E, len(rest)) + rest


def filled(size: int) -> bytes:
    """Return so many bytes of data that do not compress, as the archive of a bundle has them."""
    frames, table = [], []
    chunk = os.urandom(members.FRAME_SIZE)
    while size > 0:
        piece = chunk[: min(size, len(chunk))]
        frames.append(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(piece))
        table.append((len(frames[-1]), len(piece)))
        size -= len(piece)
    return b"".join(frames) + seek_table(table)


def put_together(
    size: int,
    *,
    manifest: str = _MANIFEST,
    files: bytes | None = None,
    results: bytes | None = None,
    trace: bytes = b"",
    data: bytes | None = None,
) -> bytes:
    """Put a bundle together, every digest right, and filled up to a size with data where it has none of its own."""
    found = {
        members.FILES: zstandard.compress(b"") if files is None else files,
        members.RESULTS: zstandard.compress(b"") if results is None else results,
        members.TRACE: trace,
    }
    left = size - len(manifest) - sum(map(len, found.values())) - _ROOM
    found[members.DATA] = filled(max(1024, left)) if data is None else data
    digests = "".join(f"  {name}: {quoted(hashlib.sha256(content).hexdigest())}\n" for name, content in found.items())
    text = f"{manifest}digests:\n{digests}".encode()
    identity = (members.IDENTITY_TEXT % hashlib.sha256(text).hexdigest()).encode()
    head = {members.VERSION: members.VERSION_TEXT, members.MANIFEST: text, members.IDENTITY: identity}
    return (
        b"".join(
            tar.header(name.encode(), tar.REGULAR, len(content)) + content + tar.padding(len(content))
            for name, content in (head | found).items()
        )
        + tar.END
    )


def _fifo(path: bytes) -> bytes:
    return b'{"gid":0,"mode":0,"mtime_ns":0,"path":"%b","type":"fifo","uid":0}\n' % path


def make_entries(size: int) -> bytes:
    """Make entries as short as they can be, as many as an index may hold."""
    return put_together(size, files=compress_lines(lambda number: _fifo(b"/%07x" % number)))


def make_long_paths(size: int) -> bytes:
    """Make entries with the longest paths, all folders above them missing."""
    folders = b"/a" * 1900
    return put_together(size, files=compress_lines(lambda number: _fifo(b"/%07x%b/x" % (number, folders))))


def make_nested(size: int) -> bytes:
    """Make chains of nested folders, as deep as a path can be."""

    def line(number: int) -> bytes:
        chain, depth = divmod(number, 2000)
        path = b"/%05x%b" % (chain, b"/a" * depth)
        return b'{"gid":0,"mode":493,"mtime_ns":0,"path":"%b","type":"directory","uid":0}\n' % path

    return put_together(size, files=compress_lines(line))


def make_results(size: int) -> bytes:
    """Make results as short as they can be, as many as an index may hold."""
    return put_together(
        size, results=compress_lines(lambda number: b'{"path":"/%07x","run":"run1","type":null}\n' % number)
    )


def make_words(size: int) -> bytes:
    """Make entries of which each has a reason and a package of its own."""

    def line(number: int) -> bytes:
        return (
            b'{"gid":%d,"mode":0,"mtime_ns":%d,"package":"p%x","path":"/%07x","reason":"r%x","type":"fifo","uid":%d}\n'
            % (number + 999, number + 999, number, number, number, number + 999)
        )

    return put_together(size, files=compress_lines(line))


def make_attributes(size: int) -> bytes:
    """Make folders of which each has as many extended attributes as fit into its line."""

    def line(number: int) -> bytes:
        pairs = b",".join(b'["user.%06x",""]' % name for name in range(100_000))
        return b'{"gid":0,"mode":0,"mtime_ns":0,"path":"/%07x","type":"directory","uid":0,"xattrs":[%b]}\n' % (
            number,
            pairs,
        )

    return put_together(size, files=compress_lines(line))


def make_segments(size: int) -> bytes:
    """Make sparse files of which each has as many parts as fit into its line."""

    def line(number: int) -> bytes:
        pairs = b",".join(b"[%d,1]" % (2 * part) for part in range(1_000_000))
        return (
            b'{"gid":0,"mode":0,"mtime_ns":0,"offset":0,"path":"/%07x","segments":[%b],"sha256":"%b","size":2000000,'
            b'"type":"file","uid":0}\n' % (number, pairs, b"0" * 64)
        )

    return put_together(size, files=compress_lines(line))


def make_keys(size: int) -> bytes:
    """Make a line of an index that is one object of a great many keys, then another."""
    line = b"{" + b",".join(b'"%06x":0' % number for number in range(1_500_000)) + b"}\n"
    return put_together(size, files=compress_lines(lambda _: line))


def make_junk(size: int) -> bytes:
    """Make an index that is nothing but bytes, nearly as many as the bundle has."""
    return put_together(size, files=os.urandom(size - 2 * _ROOM))


def make_frames(size: int) -> bytes:
    """Make a seek table of frames of one byte each, nearly as long as the bundle."""
    count = (size - 2 * _ROOM) // 9
    return put_together(size, data=bytes(count) + seek_table([(1, members.FRAME_SIZE)] * count))


def make_zeros(size: int) -> bytes:
    """Make data that are nothing but zeros, as many as can be compressed into the bundle."""
    frame = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(bytes(members.FRAME_SIZE))
    count = (size - 2 * _ROOM) // (len(frame) + 8)
    table = seek_table([(len(frame), members.FRAME_SIZE)] * count)
    left = count * members.FRAME_SIZE - 2 * tar.BLOCK - tar.BLOCK
    line = (
        b'{"gid":0,"mode":0,"mtime_ns":0,"offset":512,"path":"/x","sha256":"%b","size":%d,"type":"file","uid":0}\n'
        % (b"0" * 64, left)
    )
    return put_together(size, files=zstandard.compress(line), data=frame * count + table)


def make_items(size: int) -> bytes:
    """Make a manifest of as many items as it can hold."""
    count = min(size, members.MANIFEST_LIMIT) - 4096
    return put_together(size, manifest=f"{_MANIFEST}exclude: [{'a,' * (count // 2)}]\n")


def make_environments(size: int) -> bytes:
    """Make runs that all have the environment of the first, and one variable more."""
    first = _RUN.replace("{}", "{" + ", ".join(f"{n:x}: ''" for n in range(10_000, 20_000)) + "}")
    run = _RUN.replace("{}", "as run1\n  environ_besides: {x: y}")
    count = min(size - 300_000, (15 << 20)) // len(run)
    runs = "".join(run.replace("run1\n  argv", f"r{number}\n  argv") for number in range(count))
    return put_together(size, manifest=_MANIFEST.replace(_RUN, first + runs))


def make_key(size: int) -> bytes:
    """Make a manifest with a key of megabytes, which is like no other."""
    return put_together(size, manifest=f"{_MANIFEST}? {'abcdefgh' * (min(size, 15 << 20) // 8 - 20_000)}\n: x\n")


def make_quotes(size: int) -> bytes:
    """Make a manifest that is no YAML, in quotes that do not end."""
    text = '\\"' * (min(size, 15 << 20) // 2 - 20_000)
    return put_together(size, manifest=f'{_MANIFEST}exclude: [a"{text} {{\n')


_CONFIG = """\
version: "0.8"
runs:
- {architecture: x86_64, argv: [/bin/true], binary: /bin/true, distribution: [debian, '12'], environ: {}, exitcode: 0,
  gid: 0, hostname: box, id: run0, system: [Linux, 6], uid: 0, workingdir: /}
"""


def _tar_of(*found: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in found:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def reprozip(size: int, data: bytes, *, config: str = _CONFIG, others: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """Put a bundle of ReproZip together, filled up to a size."""
    head = [("METADATA/version", b"REPROZIP VERSION 2\n"), ("METADATA/config.yml", config.encode())]
    left = max(0, size - len(data) - len(config) - sum(len(content) for _, content in others) - _ROOM)
    return _tar_of(*head, ("DATA.tar.gz", data), *others, ("EXTENSIONS/x", os.urandom(left)))


def _zeros(compressed: bytes, of: int, size: int) -> Iterator[bytes]:
    """Yield a member of zeros, as a compressor that made ``compressed`` of ``of`` zeros has them in so much room."""
    count = max(1, (size - 2 * _ROOM) // len(compressed))
    header = tarfile.TarInfo("DATA/zeros")
    header.size = count * of
    yield header.tobuf(tarfile.GNU_FORMAT)
    for _ in range(count):
        yield compressed
    yield tar.END


def make_bzip2(size: int) -> bytes:
    """Make terabytes of zeros in bzip2, which takes a million of them into a few bytes."""
    header, *middle, end = _zeros(bz2.compress(bytes(90_000_000)), 90_000_000, size)
    return reprozip(size, bz2.compress(header) + b"".join(middle) + bz2.compress(end))


def make_xz(size: int) -> bytes:
    """Make zeros in xz."""
    header, *middle, end = _zeros(lzma.compress(bytes(64 << 20), preset=1), 64 << 20, size)
    return reprozip(size, lzma.compress(header) + b"".join(middle) + lzma.compress(end))


def make_gzip(size: int) -> bytes:
    """Make zeros in gzip."""
    header, *middle, end = _zeros(gzip.compress(bytes(64 << 20)), 64 << 20, size)
    return reprozip(size, gzip.compress(header) + b"".join(middle) + gzip.compress(end))


def make_members(size: int) -> bytes:
    """Make members of ReproZip's data that hold nothing."""
    file = io.BytesIO()
    with gzip.open(file, "wb", compresslevel=6) as archive:
        number = 0
        while file.tell() < size - 2 * _ROOM and number < _MOST_MEMBERS:
            archive.write(tar.header(b"DATA/%07x" % number, tar.FIFO))
            number += 1
        archive.write(tar.END)
    return reprozip(size, file.getvalue())


def make_headers(size: int) -> bytes:
    """Make tar headers that announce the next member, without an end."""
    content = b"x" * 60_000 + b"\0"
    block = tar.header(b"././@LongLink", tar.LONG_NAME, len(content)) + content + tar.padding(len(content))
    many = bz2.compress(block * 2000)
    return reprozip(size, many * ((size - 2 * _ROOM) // len(many)))


def make_streams(size: int) -> bytes:
    """Make streams of bzip2 that hold nothing, one after the other."""
    empty = bz2.compress(b"")
    return reprozip(size, empty * ((size - 2 * _ROOM) // len(empty)))


def make_same_names(size: int) -> bytes:
    """Make a configuration with inputs that all have one name."""
    count = min(size, 60 << 20) // 40
    text = "inputs_outputs:\n" + "".join(f"- {{name: x, path: /{number}}}\n" for number in range(count))
    return reprozip(size, gzip.compress(_tar_of()), config=_CONFIG + text)


def make_database(size: int) -> bytes:
    """Make a trace of ReproZip that is a gigabyte of nothing."""
    trace = gzip.compress(bytes(1 << 30))
    return reprozip(size, gzip.compress(_tar_of()), others=[("METADATA/trace.sqlite3.gz", trace)])


def make_first(size: int) -> bytes:
    """Make a file of bzip2 that begins with a member of terabytes, before anything says what it is."""
    header, *middle, end = _zeros(bz2.compress(bytes(90_000_000)), 90_000_000, size)
    other = header.replace(b"DATA/zeros", b"DATE/zeros")
    return bz2.compress(other) + b"".join(middle) + bz2.compress(end)


KINDS: dict[str, Callable[[int], bytes]] = {
    name.removeprefix("make_").replace("_", " "): make
    for name, make in list(globals().items())
    if name.startswith("make_")
}


_LAUNCH = """
import os, resource, subprocess, sys
memory, seconds = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
running = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(running.pid, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status))
"""
"""A small process between, for a command begins with what its parent has in memory, and here that may be much."""


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end, or until its time is over."""
    launch = [sys.executable, "-c", _LAUNCH, str(MEMORY), str(SECONDS), *command]
    done = subprocess.run(launch, cwd=folder, capture_output=True, check=True, text=True, errors="replace")
    seconds, peak, status = done.stdout.split()
    return Cost(float(seconds), int(peak), int(status), done.stderr[:400].strip())


def run_hostile(
    rtrace: Path, names: Sequence[str], sizes: Sequence[int], scratch: Path
) -> dict[tuple[str, int, str], Cost]:
    """Measure every command on every kind in every size."""
    costs = {}
    for name in names:
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="hostile-", dir=scratch) as place:
                folder = Path(place)
                bundle = folder / "x.rpz"
                bundle.write_bytes(KINDS[name](size))
                for command in COMMANDS:
                    cost = measure([str(rtrace), command, str(bundle)], folder)
                    costs[name, size, command] = cost
                    print(
                        f"{name}, {bundle.stat().st_size / 1e6:.1f} MB, {command}: {cost.seconds:.1f} s, "
                        f"{cost.peak / 2**20:.0f} MiB, {cost.status}: {cost.words[-160:]}",
                        file=sys.stderr,
                        flush=True,
                    )
    return costs


def format_hostile(costs: dict[tuple[str, int, str], Cost]) -> str:
    """Lay out seconds and peak memory, a row for each kind and size."""
    lines = [f"| kind | size | {' | '.join(COMMANDS)} |", "|---|---|" + "---|" * len(COMMANDS)]
    for name, size in dict.fromkeys((name, size) for name, size, _ in costs):
        cells = []
        for command in COMMANDS:
            cost = costs[name, size, command]
            cells.append(f"{cost.seconds:.1f} s, {cost.peak / 2**20:.0f} MiB{'' if cost.status >= 0 else ' (killed)'}")
        lines.append(f"| {name} | {size / 1e6:.0f} MB | {' | '.join(cells)} |")
    return "\n".join(lines)
