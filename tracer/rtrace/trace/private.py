"""Private places: where a trace lies while its run goes on, out of the run's sight.

    ROOT/KEY-HOST          one folder for each trace directory that is in use; KEY is made of its path
      rtrace.lock          held while its tracer lives
      place                the path where the trace directory will be, and the inode of the folder above it
      unbegun              there until the run begins, see rtrace.trace.settling
      trace/               the trace
      old/                 the trace that it replaces, until the run begins

A root is this user's folder for state (XDG base directories), or one for temporary files. It is best on the file system
where the trace will be: there a trace gets its place by a rename, and copies of files can be reflinks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rtrace.errors import ForeignError, TraceError
from rtrace.files.folders import directory_flags, read_own
from rtrace.files.locks import LOCK_FILE, Lock, lock_folder
from rtrace.printable import printable
from rtrace.trace.directory import TraceDirectory

PLACE = "place"
TRACE = "trace"
OLD = "old"
IN_SIGHT = ".rtrace-private-"
"""How the name of a root begins that is in a folder of somebody's work; the user's id comes after it."""
_FREE = "free some space, or "
_LONGEST_PLACE = 8192
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Destination(NamedTuple):
    """Where a trace directory is to be: ``path`` is absolute and without symlinks, ``inode`` is that of its parent."""

    path: bytes
    inode: int

    @property
    def parent(self) -> bytes:
        """The folder above it."""
        return os.path.dirname(self.path)

    @property
    def key(self) -> str:
        """The beginning of its private places' names."""
        return f"{zlib.crc32(self.path):08x}{zlib.crc32(self.path[::-1]):08x}"


def find_destination(directory: TraceDirectory) -> Destination:
    """Resolve where a trace directory is, or is to be. Raises TraceError where the folder above it is not there."""
    path = os.path.realpath(os.fsencode(directory.path))
    try:
        return Destination(path, os.stat(os.path.dirname(path)).st_ino)
    except OSError as error:
        raise cannot_make(directory, error) from None


def cannot_make(directory: TraceDirectory, error: Exception) -> TraceError:
    """Return the error for a trace directory that cannot be made."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    code = error.errno if isinstance(error, OSError) else None
    remedies = {errno.ENOENT: "make the folder above it, or ", errno.ENOSPC: _FREE, errno.EDQUOT: _FREE, None: _FREE}
    remedy = remedies.get(code, "")
    return TraceError(f"cannot make {directory.path}: {reason}; {remedy}use -d to write elsewhere")


class Root(NamedTuple):
    """A folder that may hold private places. The folders from ``base`` on, which is there, are made when needed."""

    base: bytes
    below: tuple[bytes, ...]

    @property
    def path(self) -> bytes:
        """Where it is."""
        return os.path.join(self.base, *self.below)


def list_roots(destination: Destination) -> tuple[Root, ...]:
    """List all roots where a trace may lie whose place is ``destination``, the usual one first, that place last."""
    user = b"%d" % os.geteuid()
    roots = []
    state = os.environb.get(b"XDG_STATE_HOME", b"")
    if state.startswith(b"/"):
        roots.append(Root(state, (b"rtrace", b"traces")) if os.path.isdir(state) else Root(*_split_missing(state)))
    roots += [Root(home, (b".local", b"state", b"rtrace", b"traces")) for home in _list_homes()]
    for folder in (b"/var/tmp", os.environb.get(b"TMPDIR", b""), b"/tmp"):
        if folder.startswith(b"/"):
            roots.append(Root(os.path.realpath(folder), (b"rtrace-" + user,)))
    device = os.stat(destination.parent).st_dev
    above = []
    folder = os.path.dirname(destination.parent)
    while folder != b"/" and _device(folder) == device:
        above.append(Root(folder, (IN_SIGHT.encode() + user,)))
        folder = os.path.dirname(folder)
    here = Root(destination.parent, (IN_SIGHT.encode() + user,))
    return tuple(dict.fromkeys((*roots, *reversed(above), here)))


def _split_missing(folder: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Split the path of a folder that is not there after what is, for a root in it."""
    base, below = folder, [b"rtrace", b"traces"]
    while not os.path.isdir(base):
        base, name = os.path.split(base.rstrip(b"/"))
        below.insert(0, name)
    return base, tuple(below)


def _list_homes() -> tuple[bytes, ...]:
    """List this user's home folders: the one that HOME names, and that of the user's account."""
    homes = [os.environb.get(b"HOME", b"")]
    if not (homes[0].startswith(b"/") and _belongs_to_us(homes[0])):  # sudo(8) may leave HOME another user's
        import pwd

        with contextlib.suppress(KeyError):  # an id without an account
            homes.append(os.fsencode(pwd.getpwuid(os.geteuid()).pw_dir))
    return tuple(os.path.realpath(home) for home in homes if home.startswith(b"/") and _belongs_to_us(home))


def _belongs_to_us(folder: bytes) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False


def _device(folder: bytes) -> int:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return -1


def choose_roots(destination: Destination, cwd: bytes) -> tuple[Root, ...]:
    """Sort the roots for a new trace: out of the run's sight first, and of these the destination's file system first.

    In sight is what is in the working directory or beside the trace directory; of one that is ``/``, nothing is out.
    """
    device = _device(destination.parent)
    watched = [folder for folder in (cwd, destination.parent) if folder != b"/"]

    def badness(root: Root) -> tuple[bool, bool]:
        seen = any((root.path + b"/").startswith(folder + b"/") for folder in watched)
        return seen, _device(root.base) != device

    return tuple(sorted(list_roots(destination), key=badness))


class PrivatePlace:
    """A private place that this process has locked.

    ``hidden`` is the topmost folder that was made for it, which the run must not take for its own world's.
    """

    def __init__(self, destination: Destination, path: Path, lock: Lock, hidden: bytes) -> None:
        self.destination = destination
        self.path = path
        self.lock = lock
        self.hidden = hidden

    @property
    def trace(self) -> TraceDirectory:
        """The trace."""
        return TraceDirectory(self.path / TRACE)

    @property
    def old(self) -> TraceDirectory:
        """The trace that it replaces."""
        return TraceDirectory(self.path / OLD)

    @property
    def target(self) -> TraceDirectory:
        """The trace directory as it will be, when the run is over."""
        return TraceDirectory(Path(os.fsdecode(self.destination.path)))

    @property
    def is_in_sight(self) -> bool:
        """Whether it had to be made where a run at work beside the trace directory sees it."""
        return self.path.parent == self.target.path.parent / f"{IN_SIGHT}{os.geteuid()}"

    def remove(self) -> None:
        """Remove what is left of it, and the root if that is in somebody's folder; what cannot be removed stays."""
        from rtrace.files.removing import remove_below

        with contextlib.suppress(OSError):
            folder = os.open(self.path, directory_flags())
            try:
                remove_below(folder, kept=frozenset({LOCK_FILE, PLACE}))
                for name in (PLACE, LOCK_FILE):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=folder)
            finally:
                os.close(folder)
            self.path.rmdir()
            if self.path.parent.name.startswith((IN_SIGHT, "rtrace-")):
                self.path.parent.rmdir()


def make_private(destination: Destination, root: Root) -> PrivatePlace:
    """Make and lock the private place of a trace in a root.

    Raises OSError where that cannot be, and BusyError when another process has it.
    """
    hidden = make_root(root)
    path = Path(os.fsdecode(root.path), f"{destination.key}-{os.uname().nodename}")
    with contextlib.suppress(FileExistsError):  # of a process that was killed
        path.mkdir(mode=0o700)
        hidden = hidden or os.fsencode(path)
    lock = lock_private(destination, path)
    try:
        if (path / TRACE).exists() or (path / OLD).exists():
            sentence = f"the trace of a killed process of rtrace lies in {printable(os.fsencode(path / TRACE))} and "
            raise TraceError(
                f"{sentence}could not be put into its place; move or remove it, or use -d to write elsewhere"
            )
        text = destination.path + b"\0%d" % destination.inode
        incomplete = path / f"{PLACE}.new"
        incomplete.write_bytes(text)
        incomplete.replace(path / PLACE)
    except BaseException:
        lock.release()
        raise
    return PrivatePlace(destination, path, lock, hidden or os.fsencode(path))


def make_root(root: Root) -> bytes | None:
    """Make a root; return the topmost folder that had to be made. Raises OSError where it is not this user's alone."""
    made = None
    path = root.base
    for name in root.below:
        path = os.path.join(path, name)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
            made = made or path
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", path)
    if status.st_mode & _OTHERS:
        os.chmod(path, 0o700)
    return made


def lock_private(destination: Destination, path: Path) -> Lock:
    """Lock a private place. Raises BusyError, in the name of the trace directory, when another process has it."""
    folder = os.open(path, directory_flags())
    try:
        return lock_folder(folder, printable(destination.path))
    finally:
        os.close(folder)


def find_private(destination: Destination) -> Iterator[Path]:
    """Find the private places of a trace directory, in use or left by killed processes."""
    host = os.uname().nodename
    for root in list_roots(destination):
        try:
            names = os.listdir(root.path)
        except OSError:  # there is none, as a rule
            continue
        for name in map(os.fsdecode, names):
            if not name.startswith(f"{destination.key}-"):
                continue
            path = Path(os.fsdecode(root.path), name)
            found = read_place(path)
            # Another host may have a folder of the same path; the same folder has the same inode there.
            if name == f"{destination.key}-{host}" or (found is not None and found.inode == destination.inode):
                yield path


def read_place(path: Path) -> Destination | None:
    """Read whose private place it is; None when there is nothing that this user's rtrace wrote."""
    try:
        folder = os.open(path, directory_flags())
        try:
            text = read_own(folder, PLACE, _LONGEST_PLACE)
        finally:
            os.close(folder)
    except (OSError, ForeignError):
        return None
    name, _, inode = text.partition(b"\0")
    return Destination(name, int(inode)) if inode.isdigit() else None


def find_places_in(folder: Path) -> Iterator[Path]:
    """Find the private places of all trace directories that are, or are to be, directly in a folder."""
    parent = os.path.realpath(os.fsencode(folder))
    if not os.path.isdir(parent):
        return
    for root in list_roots(Destination(os.path.join(parent, b"x"), 0)):
        try:
            names = os.listdir(root.path)
        except OSError:
            continue
        for name in sorted(names):
            path = Path(os.fsdecode(root.path), os.fsdecode(name))
            found = read_place(path)
            if found is not None and found.parent == parent:
                yield path
