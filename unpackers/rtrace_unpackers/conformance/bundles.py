"""Bundles made by hand: two programs, what they work on, and runs that were never traced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.writing.bundle_writer import Item, write_bundle
from rtrace.files.stamps import keep_time
from rtrace.manifest.model import Descriptor, Input, Manifest, Run
from rtrace_unpackers.conformance.programs import CAT, SHELL, Needed, find_programs

USER = 4321
TIME = 1_000_000_000_123_456_789
LATER = TIME + 2 * 10**9
"""A second is the least that some targets tell apart, so there is room for a time between these."""
INPUT = b"what is in the input\n"
BIG = bytes(range(256)) * 4096
"""1 MiB with every byte in it."""


def make_run(script: bytes = b"", name: str = "run1") -> Run:
    """Return a run of the shell by USER in /work."""
    return Run(
        id=name,
        argv=(b"sh", b"-c", script),
        binary=SHELL,
        workingdir=b"/work",
        environ=((b"PATH", b"/bin"), (b"HOME", b"/work")),
        uid=USER,
        gid=USER,
        groups=(USER,),
        umask=0o022,
        hostname="elsewhere",
        architecture=os.uname().machine,
        system=("Linux", "6.1"),
        distribution=("debian", "12"),
        started=1.0,
        finished=2.0,
        exit_code=0,
        signal=None,
    )


def make_cat(*arguments: bytes) -> Run:
    """Return a run of cat, which has the very arguments and environment that it was given."""
    run = make_run()
    return Run(**{**{name: getattr(run, name) for name in run.__slots__}, "argv": (b"cat", *arguments), "binary": CAT})


RUNS = (make_run(b"echo one >>shared; cat input"), make_run(b"echo two >>shared; cat shared", "run2"))


@dataclass
class BundleMaker:
    """Collects entries, and writes them as a bundle into a folder."""

    folder: Path
    items: dict[bytes, list[Item]] = field(default_factory=dict)

    def add(self, entry: Entry, source: bytes | None = None) -> None:
        """Add any entry, one more at a path that has one, too."""
        self.items.setdefault(entry.path, []).append(Item(entry, source))

    def directory(self, path: bytes, mode: int = 0o755, uid: int = USER) -> None:
        """Add a directory."""
        self.add(Entry(path, FileType.DIRECTORY, mode, uid, uid, TIME))

    def file(self, path: bytes, content: bytes, mode: int = 0o644, mtime_ns: int = TIME) -> None:
        """Add a regular file."""
        source = self.folder / f"source-{sum(map(len, self.items.values()))}"
        source.write_bytes(content)
        self.add(Entry(path, FileType.REGULAR, mode, USER, USER, mtime_ns, len(content)), bytes(source))

    def symlink(self, path: bytes, target: bytes) -> None:
        """Add a symbolic link."""
        self.add(Entry(path, FileType.SYMLINK, 0o777, USER, USER, TIME, target=target))

    def fifo(self, path: bytes) -> None:
        """Add a named pipe."""
        self.add(Entry(path, FileType.FIFO, 0o644, USER, USER, TIME))

    def programs(self, needed: Iterable[Needed]) -> None:
        """Add programs of this machine, as root's."""
        for one in needed:
            if one.path in self.items:
                continue
            if one.source is None:
                self.add(Entry(one.path, FileType.SYMLINK, 0o777, 0, 0, TIME, target=one.target))
            else:
                status = os.stat(one.source)
                time = keep_time(status.st_mtime_ns)
                self.add(Entry(one.path, FileType.REGULAR, 0o755, 0, 0, time, status.st_size), one.source)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in the order of a bundle."""
        return tuple(item.entry for path in sorted(self.items) for item in self.items[path])

    def write(self, name: str, runs: tuple[Run, ...] = RUNS) -> Path:
        """Write the bundle and return its path."""
        database = self.folder / f"{name}.sqlite3"
        database.touch()
        items = [item for path in sorted(self.items) for item in self.items[path]]
        write_bundle(self.folder / name, Manifest("0.1.0", runs), items, (), database)
        return self.folder / name


OUTSIDE = (b"/work/out", b"/work/up")
"""Symlinks to a file of the machine."""


def make_sample(folder: Path, canary: Path) -> BundleMaker:
    """Return the files of the bundle that most checks are about."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = BundleMaker(folder)
    for path in (b"/", b"/bin"):
        maker.directory(path, uid=0)
    maker.programs(find_programs())
    maker.directory(b"/work")
    maker.directory(b"/work/folder")
    maker.file(b"/work/input", INPUT)
    maker.file(b"/work/later", b"", mtime_ns=LATER)
    maker.file(b"/work/big", BIG)
    maker.file(b"/work/closed", b"nobody reads this\n", mode=0o400)
    maker.file(b"/work/plain", b"no program\n")
    maker.file(b"/work/folder/inside", b"inside\n")
    maker.symlink(b"/work/link", b"folder")
    maker.symlink(b"/work/absolute", b"/work/folder/inside")
    maker.symlink(b"/work/climbing", b"../../../../work/folder/inside")
    for path, above in zip(OUTSIDE, (b"", b"../" * 20), strict=True):
        maker.symlink(path, above + bytes(canary).lstrip(b"/") if above else bytes(canary))
    maker.file("/work/ü \n'\"\\".encode() + b"\xff\x1b", b"odd\n")
    maker.fifo(b"/work/fifo")
    return maker


def list_descriptors() -> Mapping[str, tuple[Descriptor, ...]]:
    """Return descriptors that a run may have been given, by what they are."""
    return {
        "file": (Descriptor(7, "file", b"/work/input", 5),),
        "closed": (Descriptor(0, "closed"),),
    }


def at_offset(offset: int, *, pipe: bool = False) -> Input:
    """Return the input file as a run's standard input."""
    return Input(b"/work/input", offset, pipe)
