"""What `Target.put`, `fetch` and `reset` have to do with any target, as a program that any user can run.

    python exchange_program.py UNPACKER BUNDLE TARGET

The bundle is that of `exchanging.make_damaging_bundle`. It prints `done` when all was as it has to be.
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError
from rtrace.opening import open_bundle
from rtrace.replay.protocol import Outcome, Streams, Target, Unpacker

UNPACKERS = {
    "chroot": ("rtrace_unpackers.chroot", "UNPACKER"),
    "docker": ("rtrace_unpackers.engines.docker", "UNPACKER"),
    "podman": ("rtrace_unpackers.engines.docker", "PODMAN_UNPACKER"),
}


def entry(path: bytes, mode: int = 0o640) -> Entry:
    """Return the entry of a file of the run's user."""
    return Entry(path, FileType.REGULAR, mode, 4321, 4321, 1_600_000_000_000_000_000)


def replay(target: Target, name: str) -> bytes:
    """Return what a run prints; it must succeed."""
    run = next(run for run in target.runs() if run.id == name)
    with tempfile.TemporaryFile() as out, open(os.devnull, "rb") as null:
        outcome = target.run(run, streams=Streams(null.fileno(), out.fileno(), 2))
        assert replace(outcome, notes=()) == Outcome(name, 0, None), outcome
        out.seek(0)
        return out.read()


def put(target: Target, path: bytes, content: bytes = b"put\n", mode: int = 0o640) -> None:
    """Put a content at a path."""
    target.put(entry(path, mode), io.BytesIO(content))


def fetch(target: Target, path: bytes) -> bytes:
    """Return the content at a path."""
    with io.BytesIO() as into:
        target.fetch(path, into)
        return into.getvalue()


@contextlib.contextmanager
def refused(kind: type[Exception]) -> Iterator[list[str]]:
    """Expect that a block raises an error, and yield what will hold its words."""
    said: list[str] = []
    try:
        yield said
    except kind as error:
        said.append(str(error))
    assert said, kind


def is_refused(target: Target, path: bytes, kind: type[Exception] | tuple[type[Exception], ...]) -> bool:
    """Whether fetching a path ends in such an error."""
    try:
        fetch(target, path)
    except kind:
        return True
    return False


def load(module: str, name: str) -> Unpacker:
    """Import an unpacker."""
    unpacker: Unpacker = getattr(import_module(module), name)
    return unpacker


def main(unpacker_name: str, bundle: Path, place: Path) -> None:
    """Do all of it."""
    unpacker = load(*UNPACKERS[unpacker_name])
    target = unpacker.open(unpacker.unpack(bundle, place).target)
    try:
        exchange(target, bundle)
    finally:
        target.destroy()
    sys.stdout.write("done\n")


def exchange(target: Target, bundle: Path) -> None:
    """Work with a target."""
    packed = replay(target, "look")
    assert fetch(target, b"/work/data.csv") == b"packed\n"

    put(target, b"/work/data.csv", b"uploaded\n")
    assert replay(target, "tell") == b"4321 4321 640 1600000000\nuploaded\n"
    put(target, b"/work/data.csv", bytes(3 << 20) + b"end")
    assert fetch(target, b"/work/data.csv") == bytes(3 << 20) + b"end"

    replay(target, "damage")
    replay(target, "give")  # to somebody else, where there is somebody else
    put(target, b"/work/data.csv", b"again\n", 0o600)
    assert fetch(target, b"/work/data.csv") == b"again\n"
    put(target, b"/work/gone/deep/file", b"in new folders\n")
    assert fetch(target, b"/work/gone/deep/file") == b"in new folders\n"
    put(target, b"/work/closed/file", b"in a closed folder\n")
    assert fetch(target, b"/work/closed/file") == b"in a closed folder\n"
    for path in (b"/work/way/file", b"/work/closed", b"/work/result/file"):
        with refused(TargetError) as said:
            put(target, path)
        assert path.decode() in said[0], said
    assert replay(target, "modes") == b"0\ndata.csv\n"

    for path in (b"/work/result", b"/work/latest", b"/work/absolute", b"/work/way/../result"):
        assert fetch(target, path) == b"result\n", path
    for path in (b"/work/nothing", b"/no/where", b"/work/evil", b"/work/result/file"):
        assert is_refused(target, path, FileNotFoundError), path
    for path in (b"/work", b"/work/pipe"):
        assert is_refused(target, path, TargetError), path
    assert is_refused(target, b"/work/endless", (TargetError, FileNotFoundError))  # the latter is Podman's word
    with tempfile.TemporaryFile() as file:
        target.fetch(b"/work/result", file)
        file.seek(0)
        assert file.read() == b"result\n"

    target.reset(bundle)
    assert replay(target, "look") == packed
    with open_bundle(bundle) as opened:
        one = opened.find(b"/work/data.csv")
        assert one is not None
        snapshot = target.inspect([b"/work/data.csv"], opened.entries)
    assert snapshot.found[b"/work/data.csv"].sha256 == one.sha256
    assert snapshot.extra == (), snapshot.extra
    target.reset(bundle)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
