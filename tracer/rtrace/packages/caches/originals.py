"""Files as their package brought them: one that was changed after a trace is in the archive of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtrace.packages.caches.archives import find_archive, read_archive
from rtrace.packages.generated import find_stand_ins
from rtrace.packages.model import SystemManager
from rtrace.packages.registry import find_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rtrace.packages.caches.archives import ArchivedFile
    from rtrace.packages.model import PackageVersion

_SECOND = 1_000_000_000


class Wanted(NamedTuple):
    """What a run found at a path."""

    size: int
    mtime_ns: int


class Originals:
    """Copies of packaged files, extracted into a folder when the first of a package is asked for."""

    def __init__(self, folder: Path) -> None:
        """Extract into a folder that need not exist yet."""
        self._folder = folder
        self._archives: dict[PackageVersion, str | None] = {}
        self._found: dict[PackageVersion, dict[bytes, Path]] = {}

    def has_archive(self, package: PackageVersion) -> bool:
        """Whether the archive of a package is at hand."""
        return self._find_archive(package) is not None

    def _find_archive(self, package: PackageVersion) -> str | None:
        if package not in self._archives:
            self._archives[package] = find_archive(package)
        return self._archives[package]

    def find(self, package: PackageVersion, path: bytes, wanted: Callable[[], Mapping[bytes, Wanted]]) -> Path | None:
        """Return a copy of a file as the package has it; None where it has no file of the size and time that is wanted.

        ``wanted`` tells all files that could be asked for, so that one reading of the archive is enough.
        """
        if package not in self._found:
            archive = self._find_archive(package)
            self._found[package] = {} if archive is None else self._extract(package, archive, wanted())
        return self._found[package].get(path)

    def _extract(self, package: PackageVersion, archive: str, wanted: Mapping[bytes, Wanted]) -> dict[bytes, Path]:
        folder = self._folder / str(len(self._found))
        folder.mkdir(parents=True)
        found: dict[bytes, Path] = {}
        try:
            for member in read_archive(package, archive):
                path = _match(member, wanted)
                if path is not None:
                    copy = folder / str(len(found))
                    with copy.open("wb") as file:
                        file.writelines(member.parts)
                        whole = file.tell() == member.size
                    if whole:
                        found[path] = copy
        except OSError:  # its tool is not there
            pass
        return found


def may_hold(package: PackageVersion, path: bytes) -> bool:
    """Whether the archive of a package may hold a file, which its manager may also have made when it came.

    Some managers know that of what is installed; of others, what is made by a program of theirs is not in it.
    """
    manager = find_manager(package.manager)
    known = None
    if isinstance(manager, SystemManager) and manager.may_hold is not None:
        known = manager.may_hold(package, path)
    return not find_stand_ins([path], {}, b"/") if known is None else known


def _match(member: ArchivedFile, wanted: Mapping[bytes, Wanted]) -> bytes | None:
    """Return the wanted path that a file of an archive is, under its own name or that from before /usr was merged."""
    for path in (member.path, b"/usr" + member.path):
        want = wanted.get(path)
        if want is not None and (member.size, member.mtime * _SECOND) == (want.size, want.mtime_ns):
            return path
    return None
