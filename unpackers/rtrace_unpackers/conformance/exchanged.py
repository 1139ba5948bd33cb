"""Checks on files that are put into a target, taken out of it, and brought back: by `put`, `fetch` and `reset`."""

from __future__ import annotations

import io
from typing import BinaryIO

from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import RtraceError, TargetError
from rtrace.replay.protocol import Target
from rtrace_unpackers.conformance.bench import Bench
from rtrace_unpackers.conformance.bundles import BIG, INPUT, LATER, OUTSIDE, TIME, USER, make_run
from rtrace_unpackers.conformance.kept import describe, digest
from rtrace_unpackers.conformance.model import BrokenPromiseError, Checks, expect_same

EXCHANGED = Checks()
BETWEEN = (TIME + LATER) // 2


def regular(path: bytes, content: bytes, mode: int = 0o640) -> Entry:
    """Return the entry of a file that is put."""
    return Entry(path, FileType.REGULAR, mode, USER, USER, BETWEEN, len(content), digest(content))


def fetched(target: Target, path: bytes) -> bytes:
    """Return what a file holds."""
    into = io.BytesIO()
    target.fetch(path, into)
    return into.getvalue()


class Failing(io.RawIOBase):
    """A content that cannot be read to its end."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Return a few bytes, and fail then."""
        if self._begun:
            raise OSError(5, "Input/output error")
        self._begun = True
        memoryview(buffer)[:4] = b"half"  # type: ignore[arg-type]
        return 4


@EXCHANGED.add("put", "a file that is put has its content, owner, permissions and time; folders on the way are made")
def check_put(bench: Bench) -> None:
    """Put one in the place of another, and one where no folder is."""
    with bench.fresh() as target:
        for path in (b"/work/input", b"/work/new/below/it"):
            target.put(regular(path, BIG), io.BytesIO(BIG))
            found = target.inspect((path,), bench.entries).found[path]
            expect_same(path.decode(), describe(found), (FileType.REGULAR, 0o640, len(BIG), digest(BIG), None))
        script = b"[ -O input ] && [ input -nt plain ] && [ input -ot later ] && echo fits"
        done = bench.replay(script, target=target)
        expect_same("whether owner and time are the entry's", done.stdout, b"fits\n")


@EXCHANGED.add("put-refused", "nothing is put behind a symlink, in a folder's place or above the tree")
def check_put_refused(bench: Bench) -> None:
    """Try each."""
    with bench.fresh() as target:
        for path in (b"/work/link/new", b"/work/folder", b"/work/absolute/new", b"/work/input/new"):
            try:
                target.put(regular(path, b"x"), io.BytesIO(b"x"))
            except TargetError:
                continue
            raise BrokenPromiseError(f"something was put at {path.decode()}")
        found = target.inspect((b"/work/folder/new", b"/work/folder"), bench.entries).found
        expect_same("what is behind the link", found[b"/work/folder/new"].type, None)
        expect_same("what is in the folder's place", found[b"/work/folder"].type, FileType.DIRECTORY)


@EXCHANGED.add("put-whole", "a file whose content cannot be read to its end does not appear by half")
def check_put_whole(bench: Bench) -> None:
    """Put one that fails."""
    with bench.fresh() as target:
        content: BinaryIO = io.BufferedReader(Failing())
        try:
            target.put(regular(b"/work/input", INPUT), content)
        except (OSError, RtraceError):
            pass
        else:
            raise BrokenPromiseError("nothing was said of it")
        expect_same("the file", fetched(target, b"/work/input"), INPUT)
        extra = target.inspect((), bench.entries).extra
        expect_same("what is left in the tree", [path for path in extra if path.startswith(b"/work")], [])


@EXCHANGED.add("fetch", "a file is copied out as it is; symlinks are followed as a program in the target does it")
def check_fetch(bench: Bench) -> None:
    """Take out files, by links, too."""
    wanted = {
        b"/work/big": BIG,
        b"/work/closed": b"nobody reads this\n",
        b"/work/link/inside": b"inside\n",
        b"/work/absolute": b"inside\n",
        b"/work/climbing": b"inside\n",
    }
    for path, content in wanted.items():
        expect_same(path.decode(), fetched(bench.target, path), content)


@EXCHANGED.add("fetch-refused", "what is not there is a FileNotFoundError, what is no regular file a TargetError")
def check_fetch_refused(bench: Bench) -> None:
    """Ask for what cannot be had."""
    kinds: dict[bytes, type[Exception]] = {
        b"/work/absent": FileNotFoundError,
        b"/work/folder": TargetError,
        b"/work/fifo": TargetError,
    }
    for path, kind in kinds.items():
        try:
            fetched(bench.target, path)
        except kind:
            continue
        except (OSError, RtraceError) as error:
            raise BrokenPromiseError(f"{path.decode()} is a {type(error).__name__}, no {kind.__name__}") from None
        raise BrokenPromiseError(f"{path.decode()} was fetched")


@EXCHANGED.add("fetch-outside", "no symlink leads to a file of the machine")
def check_fetch_outside(bench: Bench) -> None:
    """Fetch two links that a program in the target would find nothing behind."""
    for path in OUTSIDE:
        try:
            found = fetched(bench.target, path)
        except (FileNotFoundError, TargetError):
            continue
        raise BrokenPromiseError(f"{found!r} was fetched from the machine")


@EXCHANGED.add("reset", "reset brings back the packed state: what was changed, made and removed")
def check_reset(bench: Bench) -> None:
    """Change files, and replay after it."""
    with bench.fresh() as target:
        bench.replay(b"echo x >input; echo x >made; : >big; echo x >folder/more", target=target)
        target.reset(bench.sample)
        snapshot = target.inspect((b"/work/input", b"/work/big"), bench.entries)
        digests = [snapshot.found[path].sha256 for path in (b"/work/input", b"/work/big")]
        expect_same("the contents", digests, [digest(INPUT), digest(BIG)])
        extra = [path for path in snapshot.extra if path.startswith(b"/work")]
        expect_same("what is there besides", extra, [])
        expect_same("a replay", bench.replay(make_run(b"cat input"), target=target).stdout, INPUT)
        target.reset(bench.sample)


@EXCHANGED.add("reset-other", "reset with another bundle is refused, or brings back what the target was made of")
def check_reset_other(bench: Bench) -> None:
    """Name another one."""
    with bench.fresh() as target:
        other, wanted = bench.write_other(), INPUT
        bench.replay(b"echo mine >input", target=target)
        try:
            target.reset(other)
        except RtraceError:
            wanted = b"mine\n"
        expect_same("the file", fetched(target, b"/work/input"), wanted)
        found = target.inspect((b"/work/file",), bench.entries).found[b"/work/file"]
        expect_same("what is there of the other bundle", found.type, None)
