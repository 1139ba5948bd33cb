"""Debian's packages, from dpkg's own database: one reading of all its lists, no process, no look-up for each file.

See dpkg(1) FILES and dpkg-divert(1). Measured with 746 packages (7.5 MB of lists, 126,000 lines): reading 7 ms into one
buffer that is used again (14 ms into a new one for each list), looking for ten files or a thousand 10 ms. A search for
each path (1.2 ms) and one regular expression for all (30 ms for twenty) are slower. One list was half of all bytes:
such ones are mapped and searched, which takes 5 ms less than splitting them.
"""

from __future__ import annotations

import os
from mmap import PROT_READ, mmap
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.hierarchy import MERGED
from rtrace.files.reading import read_file
from rtrace.packages.model import ArchiveCache, Installed, PackageVersion, SystemManager

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_LINKED = ((b"/run/lock/", b"/var/lock/"), (b"/run/", b"/var/run/"))
"""Where files are, and where older packages list them."""
_BUFFER = 1 << 18
"""Bytes that nearly every list fits into."""
_FEW = 12
"""Paths that are searched for one by one in a list that is longer."""


class _Claim(NamedTuple):
    """A path that is looked for by one of the names under which a list may have it.

    When the name was diverted, the file with that name is ``only`` this package's, and those of ``all_but`` this one
    lie elsewhere.
    """

    path: bytes
    only: bytes | None = None
    all_but: bytes | None = None


class Dpkg:
    """dpkg's database below a root."""

    def __init__(self, root: bytes = b"/") -> None:
        self._root = root
        self._database = os.path.join(root, b"var/lib/dpkg")

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that have one; none where there is no dpkg."""
        plain, claims = self._claim(paths)
        wanted = frozenset(plain | claims.keys())
        found: dict[bytes, bytes] = {}
        for package, content in self._read_lists() if wanted else ():
            for line in _find_lines(content, wanted):
                if line in plain:
                    found.setdefault(line, package)
                name = package.partition(b":")[0]
                for claim in claims.get(line, ()):
                    if claim.only in {None, name} and claim.all_but != name:
                        found.setdefault(claim.path, package)
        found.update((path, package) for package, path in self._read_registry() if path in plain and path not in found)
        described = self._describe(set(found.values()))
        return {path: described[package] for path, package in found.items() if package in described}

    def _claim(self, paths: Iterable[bytes]) -> tuple[set[bytes], dict[bytes, list[_Claim]]]:
        """Return what to look for in the lists: paths by their own names, and those that lists may call otherwise."""
        merged = tuple(
            b"/usr/" + folder + b"/" for folder in MERGED if os.path.islink(os.path.join(self._root, folder))
        )
        diversions = {self._resolve(original, merged): (original, to, by) for original, to, by in self._diversions()}
        diverted = {self._resolve(to, merged): (original, by) for original, to, by in diversions.values()}
        # These symlinks themselves are what lists know as a folder of everybody's.
        plain = set(paths) - {b"/" + folder for folder in MERGED}
        claims: dict[bytes, list[_Claim]] = {}
        renamed = (*merged, *(place for place, _ in _LINKED))
        for path in [path for path in plain if path.startswith(renamed)]:
            for name in _names(path, merged):
                claims.setdefault(name, []).append(_Claim(path))
        for path in plain & diverted.keys():
            original, by = diverted[path]
            for name in _names(self._resolve(original, merged), merged):
                claims.setdefault(name, []).append(_Claim(path, all_but=by))
        for path in plain & diversions.keys():
            plain.remove(path)
            for name in _names(path, merged):
                others = [claim for claim in claims.get(name, ()) if claim.path != path]
                claims[name] = [*others, _Claim(path, only=diversions[path][2])]
        return plain, claims

    @staticmethod
    def _resolve(name: bytes, merged: tuple[bytes, ...]) -> bytes:
        """Return the path at which a file lies that a package lists under a name."""
        return b"/usr" + name if (b"/usr" + name).startswith(merged) else name

    def _diversions(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Yield (original name, where it went, the package that has the name now, ``:`` for the administrator)."""
        lines = iter(read_file(os.path.join(self._database, b"diversions")).split(b"\n"))
        return zip(lines, lines, lines)  # noqa: B905 -- what is left of the last three is the end of the file

    def _read_registry(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (package, configuration file) for the files that ucf(1) keeps for packages, which do not list them."""
        for line in read_file(os.path.join(self._root, b"var/lib/ucf/registry")).split(b"\n"):
            package, _, path = line.partition(b"\t")
            yield package.strip(), path.strip()

    def _read_lists(self) -> Iterator[tuple[bytes, bytes | mmap]]:
        """Yield each package (``name`` or ``name:architecture``) with its list of files, in the order of the names."""
        try:
            folder = os.open(os.path.join(self._database, b"info"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            buffer = memoryview(bytearray(_BUFFER))
            for name in sorted(name for name in os.listdir(folder) if name.endswith(".list")):
                yield os.fsencode(name[: -len(".list")]), _read_list(name, folder, buffer)
        finally:
            os.close(folder)

    def _describe(self, packages: Collection[bytes]) -> dict[bytes, Installed]:
        """Return version and architecture of packages, from the paragraphs of the status file.

        A package of a foreign architecture keeps that in its name (``libc6:i386``), as apt shows it.
        """
        wanted = {package.partition(b":")[0] for package in packages}
        known: dict[bytes, list[dict[bytes, bytes]]] = {}
        for paragraph in read_file(os.path.join(self._database, b"status")).split(b"\n\n") if packages else ():
            name = paragraph[len(b"Package: ") : paragraph.find(b"\n")]
            if name in wanted or name == b"dpkg":
                known.setdefault(name, []).append(_fields(paragraph))
        native = known[b"dpkg"][0].get(b"Architecture") if b"dpkg" in known else None
        described = {}
        for package in packages:
            name, _, only = package.partition(b":")
            for fields in known.get(name, ()):
                architecture = fields.get(b"Architecture", b"")
                if not only or only == architecture:
                    full = name if architecture in {native, b"all"} else name + b":" + architecture
                    version = fields.get(b"Version", b"")
                    described[package] = Installed(
                        _text(full), _text(version), _text(architecture), "dpkg", _text(_origin(fields))
                    )
                    break
        return described


def _origin(fields: dict[bytes, bytes]) -> bytes:
    """Return the source package, where its name differs from the package's."""
    source, _, version = fields.get(b"Source", b"").partition(b" ")
    return b"source %b %b" % (source, version.strip(b"()") or fields.get(b"Version", b"")) if source else b""


def _fields(paragraph: bytes) -> dict[bytes, bytes]:
    """Return the fields of one line of a paragraph of the status file (deb822(5))."""
    lines = (line.partition(b": ") for line in paragraph.split(b"\n"))
    return {name: value for name, colon, value in lines if colon}


def _names(path: bytes, merged: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield the names by which a list may have a path, its own among them."""
    yield path
    if path.startswith(merged):
        yield path[len(b"/usr") :]
    for place, name in _LINKED:
        if path.startswith(place):
            yield name + path[len(place) :]


def _find_lines(content: bytes | mmap, wanted: frozenset[bytes]) -> Iterable[bytes]:
    """Find those of the wanted lines that a list has; its first line, ``/.``, is never wanted."""
    if isinstance(content, bytes):
        return wanted.intersection(content.split(b"\n"))
    if len(wanted) > _FEW:
        return wanted.intersection(content[:].split(b"\n"))
    return [line for line in wanted if content.find(b"\n%b\n" % line) >= 0]


def _read_list(name: str, folder: int, buffer: memoryview) -> bytes | mmap:
    """Read a list in an open folder, or map one that does not fit into the buffer; nothing when that is impossible."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return b""
    try:
        length = os.readv(descriptor, (buffer,))
        return bytes(buffer[:length]) if length < _BUFFER else mmap(descriptor, 0, prot=PROT_READ)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _name_archive(package: PackageVersion) -> str:
    name = package.name.partition(":")[0]
    return f"{name}_{package.version.replace(':', '%3a')}_{package.architecture}.deb"


def _is_as_shipped(package: PackageVersion, path: bytes, content: bytes) -> bool:
    from rtrace.packages.system.dpkg_lists import is_as_shipped

    return is_as_shipped(package, path, content)


def _may_hold(package: PackageVersion, path: bytes) -> bool | None:
    from rtrace.packages.system.dpkg_lists import is_listed

    return is_listed(package, path)


DPKG = SystemManager(
    "dpkg",
    (b"/var/lib/dpkg/status",),
    Dpkg,
    ArchiveCache(("/var/cache/apt/archives",), _name_archive, ("dpkg-deb", "--fsys-tarfile", "{archive}")),
    _is_as_shipped,
    _may_hold,
)
