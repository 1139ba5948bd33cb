"""From the members of ReproZip's data to entries: one for each file, under the path at which it really lies.

ReproZip packs a file under the name by which the run called it, and a tar of it extracts through its own symlinks:

    DATA/lib -> usr/lib
    DATA/lib/x86_64-linux-gnu/libc.so.6
    DATA/usr/lib/x86_64-linux-gnu/libc.so.6         a hard link to the one above: the same file

Nothing is ever extracted through a symlink here. The symlinks on the way are followed in the list of members alone, and
a file that comes under several names becomes one entry. What leads out of the bundle is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle import tar
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.validation import PATH_LIMIT, path_problem, validate_entries
from rtrace.errors import HostileBundleError
from rtrace.files.symlinks import follow_symlinks
from rtrace.printable import printable, shorten_path
from rtrace.reprozip.reading.tar_reader import BLOCK_DEVICE, CHARACTER_DEVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.reprozip.reading.tar_reader import TarMember

FOLDER = b"DATA"
_ROUNDS = 4
_REMEMBERED_LIMIT = 64 << 20
_STEPS_LIMIT = 2_000_000
"""Folders that all symlinks on the way to files may lead through, where each leads through a few."""
_TYPES = {
    tar.REGULAR: FileType.REGULAR,
    tar.DIRECTORY: FileType.DIRECTORY,
    tar.SYMLINK: FileType.SYMLINK,
    tar.FIFO: FileType.FIFO,
    tar.SPARSE: FileType.REGULAR,
}
_DEVICES = {BLOCK_DEVICE: "block", CHARACTER_DEVICE: "character"}


@dataclass(frozen=True, slots=True)
class FileTree:
    """The entries of a bundle sorted by path, and where the content of each is found.

    ``contents`` has, by the offset of a member's content, the path of the entry that it belongs to. ``symlinks`` serve
    to find where a path of the run lies.
    """

    entries: tuple[Entry, ...]
    contents: dict[int, bytes]
    paths: frozenset[bytes]
    resolver: Resolver


def member_path(name: bytes) -> bytes:
    """Return the path of a member, which its name without the folder is. Raises HostileBundleError."""
    stripped = name.removeprefix(b"./")
    stripped = stripped[:-1] if stripped.endswith(b"/") else stripped
    if stripped == FOLDER:
        return b"/"
    if not stripped.startswith(FOLDER + b"/"):
        raise HostileBundleError(f"the bundle holds {shorten_path(name)}, which is not below {FOLDER.decode()}/")
    path = stripped[len(FOLDER) :]
    problem = path_problem(path)
    if problem:
        raise HostileBundleError(f"the bundle holds {shorten_path(name)} with {problem}")
    return path


class ListedMember(NamedTuple):
    """What is kept of a member: the path that its name stands for, and what it holds."""

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    link: bytes
    offset: int
    sha256: str | None


def name_member(member: TarMember) -> ListedMember:
    """Return what a member is. Raises HostileBundleError for a device, a name or a link that no bundle has."""
    if member.kind in _DEVICES:
        raise HostileBundleError(f"the bundle holds {shorten_path(member.name)} as a {_DEVICES[member.kind]!r} device")
    path, link = member_path(member.name), b""
    if member.kind == tar.HARD_LINK:
        link = member_path(member.link)
    elif member.kind == tar.SYMLINK:
        link = member.link
        if len(link) > PATH_LIMIT:
            raise HostileBundleError(f"the bundle holds {printable(path)} as a symlink longer than {PATH_LIMIT} bytes")
    size = member.size or member.hole
    return ListedMember(
        path, member.kind, member.mode, member.uid, member.gid, member.mtime_ns, size, link, member.offset, None
    )


class Resolver:
    """Follows the symlinks of a bundle, within it."""

    def __init__(self, symlinks: dict[bytes, bytes]) -> None:
        self._symlinks = dict(symlinks)
        self._folders: dict[bytes, bytes] = {}
        self._remembered = 0
        self._steps = 0
        for _ in range(_ROUNDS):
            # A symlink may itself lie below another one: the list is in order when nothing moves any more.
            settled = {self.resolve(path): target for path, target in self._symlinks.items()}
            if settled.keys() == self._symlinks.keys():
                return
            self._symlinks = settled
            self._forget()
        raise HostileBundleError("the bundle holds symlinks that lead through each other without an end")

    def resolve(self, path: bytes) -> bytes:
        """Return the path at which a file really lies; a symlink at its very end is not followed."""
        if not self._symlinks or path == b"/":
            return path
        folder, _, name = path.rpartition(b"/")
        return self._folder(folder) + b"/" + name

    def _folder(self, path: bytes) -> bytes:
        """Return where a folder really lies, without a slash at the end; nothing for the root."""
        known = self._folders.get(path)
        if known is not None:
            return known
        names = []
        rest = path
        while rest and rest not in self._folders:
            rest, _, name = rest.rpartition(b"/")
            names.append(name)
        real = self._folders.get(rest, b"")
        for name in reversed(names):
            real = self._enter(real, name)
            rest += b"/" + name
            self._folders[rest] = real
            self._remembered += len(rest) + len(real)
        if self._remembered > _REMEMBERED_LIMIT:
            self._forget()
        return real

    def _forget(self) -> None:
        self._folders.clear()
        self._remembered = 0

    def _enter(self, folder: bytes, name: bytes) -> bytes:
        """Go down one name, through whatever symlinks are there: as many as the kernel follows, and never out."""
        real = place = folder
        try:
            for step in follow_symlinks(name, self._symlinks.get, folder):
                if step.name == b".." and not step.folder:
                    raise HostileBundleError("the bundle holds files below a symlink that leads out of it")
                place, real = step.place, step.onward
                if step.target is None:
                    continue
                self._steps += step.target.count(b"/") + 1
                if self._steps > _STEPS_LIMIT or len(place) > PATH_LIMIT:
                    raise HostileBundleError(
                        "the bundle holds symlinks that lead through more folders than any real one"
                    )
        except OSError:  # ELOOP
            raise HostileBundleError(
                f"the bundle holds files below {printable(place)}, which leads in circles"
            ) from None
        return real


def build_tree(
    members: Sequence[ListedMember],
    packages: dict[bytes, str],
    workingdirs: dict[bytes, tuple[int, int]],
) -> FileTree:
    """Make the tree of the members. Raises HostileBundleError.

    ``packages`` has the names of packages by the paths of their files, ``workingdirs`` the owners of the directories in
    which the runs have to start, and which are made when the bundle lacks them.
    """
    resolver = Resolver({member.path: member.link for member in members if member.kind == tar.SYMLINK})
    found: dict[bytes, Entry] = {}
    groups: dict[bytes, list[bytes]] = {}
    holders: dict[bytes, bytes] = {}
    for member in members:
        path = resolver.resolve(member.path)
        if member.kind == tar.HARD_LINK:
            _add_link(path, member, resolver, holders, groups, found)
            continue
        entry = _entry(path, member)
        if path in found:
            _refuse_another(found[path], entry)
            continue
        found[path] = entry
        if entry.offset is not None:
            holders[path] = path
    contents = {entry.offset: path for path, entry in found.items() if entry.offset is not None}
    for holder, links in groups.items():
        _move_content(holder, links, found, contents)
    for given, owner in workingdirs.items():
        path = resolver.resolve(given)
        if path not in found and path != b"/":
            found[path] = Entry(path, FileType.DIRECTORY, 0o755, *owner, 0, reason="working directory")
    owners = {resolver.resolve(path): name for path, name in packages.items()}
    entries = tuple(
        entry._replace(package=owners[path]) if path in owners else entry for path, entry in sorted(found.items())
    )
    validate_entries(entries)
    return FileTree(entries, contents, frozenset(found), resolver)


def _entry(path: bytes, member: ListedMember) -> Entry:
    kind = _TYPES[member.kind]
    is_file = member.kind == tar.REGULAR
    return Entry(
        path=path,
        type=kind,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        mtime_ns=member.mtime_ns,
        size=member.size,
        sha256=member.sha256,
        target=member.link if kind is FileType.SYMLINK else None,
        placeholder=member.kind == tar.SPARSE,
        offset=member.offset if is_file else None,
    )


def _refuse_another(known: Entry, entry: Entry) -> None:
    """Refuse two different files at one path; the same one under two names is usual."""
    same = (known.type, known.size, known.sha256, known.target) == (entry.type, entry.size, entry.sha256, entry.target)
    if not same:
        raise HostileBundleError(f"the bundle holds {printable(entry.path)} twice")


def _add_link(
    path: bytes,
    member: ListedMember,
    resolver: Resolver,
    holders: dict[bytes, bytes],
    groups: dict[bytes, list[bytes]],
    found: dict[bytes, Entry],
) -> None:
    """Note a further name of a file that came before."""
    target = resolver.resolve(member.link)
    holder = holders.get(target)
    if holder is None:
        raise HostileBundleError(
            f"the bundle holds {printable(path)} as a hard link to {printable(target)}, which is not a file before it"
        )
    known = found.get(path)
    if known is not None:
        _refuse_another(known, found[holder]._replace(path=path))
        return
    found[path] = found[holder]._replace(path=path, offset=None, link=holder)
    holders[path] = holder
    groups.setdefault(holder, []).append(path)


def _move_content(holder: bytes, links: list[bytes], found: dict[bytes, Entry], contents: dict[int, bytes]) -> None:
    """Move the content of a file with several names to the first of them in the order of entries."""
    first = min(holder, *links)
    offset = found[holder].offset
    for path in (holder, *links):
        is_first = path == first
        found[path] = found[path]._replace(offset=offset if is_first else None, link=None if is_first else first)
    if offset is not None:
        contents[offset] = first
