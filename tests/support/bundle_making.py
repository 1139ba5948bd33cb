"""Small bundles for the tests of unpackers: busybox, what it works on, and runs that were never traced."""

import hashlib
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from plain_user import PlainUser
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.writing.bundle_writer import Item, write_bundle
from rtrace.manifest.model import Elsewhere, Manifest, Run

TIME = 1_000_000_000_123_456_789
USER = 4321
BUSYBOX = "busybox"  # a static one, so that it is all that a tree needs


def make_run(script: bytes = b"", **changes: Any) -> Run:
    """Return a run of busybox's shell by USER in /work; anything can be changed."""
    run = Run(
        id="run1",
        argv=(b"sh", b"-c", script, b"zero"),
        binary=b"/bin/busybox",
        workingdir=b"/work",
        environ=((b"PATH", b"/bin"), (b"HOME", b"/work")),
        uid=USER,
        gid=USER,
        groups=(USER,),
        umask=0o022,
        hostname="elsewhere",
        architecture="x86_64",
        system=("Linux", "6.1"),
        distribution=("debian", "12"),
        started=1.0,
        finished=2.0,
        exit_code=0,
        signal=None,
    )
    return replace(run, **changes)


def digest(content: bytes) -> str:
    """Return a SHA-256 as bundles have it."""
    return hashlib.sha256(content).hexdigest()


def wrote(path: bytes, content: bytes, run: str = "run1", mode: int = 0o644) -> Result:
    """Return the result of a run that left a file."""
    return Result(run, path, FileType.REGULAR, mode, len(content), digest(content))


class BundleMaker:
    """Collects entries and writes them as a bundle. /bin/busybox with its applets and /work are there already.

    Without ``runnable`` there is no program: the bundle can be read and not replayed.
    """

    def __init__(self, folder: Path, *, runnable: bool = True) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.items: dict[bytes, Item] = {}
        self.numbers = count()
        for path, uid in ((b"/", 0), (b"/bin", 0), (b"/work", USER)):
            self.directory(path, uid=uid)
        if not runnable:
            return
        busybox = shutil.which(BUSYBOX)
        assert busybox, "the mark requires('busybox') is missing"
        self.file(b"/bin/busybox", Path(busybox).read_bytes(), mode=0o755, uid=0)
        for applet in (b"sh", b"cat", b"echo", b"ls", b"sleep", b"id", b"stat", b"readlink", b"mv", b"rm", b"ln"):
            self.symlink(b"/bin/" + applet, b"busybox")

    def add(self, entry: Entry, source: bytes | None = None) -> None:
        """Add any entry."""
        self.items[entry.path] = Item(entry, source)

    def directory(self, path: bytes, *, mode: int = 0o755, uid: int = USER) -> None:
        """Add a directory."""
        self.add(Entry(path, FileType.DIRECTORY, mode, uid, uid, TIME))

    def file(self, path: bytes, content: bytes, *, mode: int = 0o644, uid: int = USER) -> None:
        """Add a regular file."""
        source = self.folder / f"source-{next(self.numbers)}"
        source.write_bytes(content)
        self.add(Entry(path, FileType.REGULAR, mode, uid, uid, TIME, len(content)), bytes(source))

    def symlink(self, path: bytes, target: bytes) -> None:
        """Add a symbolic link."""
        self.add(Entry(path, FileType.SYMLINK, 0o777, USER, USER, TIME, target=target))

    def write(
        self,
        *runs: Run,
        results: tuple[Result, ...] = (),
        name: str = "bundle.rpz",
        elsewhere: tuple[Elsewhere, ...] = (),
        written: tuple[bytes, ...] = (),
        **manifest: Any,
    ) -> Path:
        """Write the bundle and return its path; anything else that is named goes into its manifest."""
        database = self.folder / "trace.sqlite3"
        database.write_bytes(b"")
        order = {run.id: number for number, run in enumerate(runs)}
        write_bundle(
            self.folder / name,
            Manifest("0.1.0", runs, elsewhere=elsewhere, **manifest),
            sorted(self.items.values(), key=lambda item: item.entry.path),
            sorted(results, key=lambda result: (order[result.run], result.path)),
            database,
            written=written,
        )
        return self.folder / name


def run_python(user: PlainUser, program: str, *arguments: str | Path) -> str:
    """Run Python as a plain user, with rtrace to import; return what it printed."""
    python = user.rtrace.read_text().splitlines()[0].removeprefix("#!")
    done = user.run(python, "-c", program, *arguments, env={"PYTHONPATH": str(user.rtrace.parent.parent)})
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


UNPACK = """\
import sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def unpack_as(user: PlainUser, bundle: Path) -> Path:
    """Have a plain user make a target of a bundle in their home; return its path."""
    own = user.home / "bundle.rpz"
    own.write_bytes(bundle.read_bytes())
    user.give(own)
    run_python(user, UNPACK, own, user.home / "target")
    return user.home / "target"
