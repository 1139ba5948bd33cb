"""Which installed package owns which file, whatever package managers there are."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug
from rtrace.packages.generated import StandIn, find_stand_ins
from rtrace.packages.model import Attribution, SystemManager
from rtrace.packages.registry import list_outside_managers, list_path_managers, list_system_managers

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping

    from rtrace.packages.model import Installed


class Question(NamedTuple):
    """Files to attribute: absolute paths, resolved, seen from ``root``; no directories.

    ``targets`` are what the symlinks among them point to, ``modules`` the environment modules that were loaded
    (``name/version``), ``executable`` those that may be programs (None: that is not known).
    """

    paths: Collection[bytes]
    targets: Mapping[bytes, bytes | None]
    root: bytes = b"/"
    modules: Collection[bytes] = ()
    executable: Container[bytes] | None = None

    def below(self, root: bytes, paths: Iterable[bytes]) -> Question:
        """Return those of the files that lie below another root, seen from there."""
        inside = {path[len(root) :]: path for path in paths}
        return Question(
            inside,
            {short: self.targets[path] for short, path in inside.items() if path in self.targets},
            root,
            executable=self.executable and {short for short, path in inside.items() if path in self.executable},
        )


def attribute(
    paths: Collection[bytes],
    targets: Mapping[bytes, bytes | None] | None = None,
    root: bytes = b"/",
    modules: Collection[bytes] = (),
    executable: Container[bytes] | None = None,
) -> Attribution:
    """Return the owners of paths; see `Question` for the arguments.

    The system's package managers are asked first, then those of languages for the rest. What no package lists, but a
    package's program made, compiled or links to, is that package's.
    """
    return attribute_files(Question(paths, targets or {}, root, modules, executable))


def attribute_files(files: Question) -> Attribution:
    """Return the owners of files: who lists them, who made them, who is developed there, and who owns another root."""
    stand_ins = find_stand_ins(files.paths, files.targets, files.root)
    search = OwnerSearch(files, stand_ins)
    search.ask_system()
    search.ask_languages()
    owners, reasons = search.settle()
    if files.root == b"/":
        found = attribute_other_roots(files, [path for path in files.paths if path not in owners])
        owners.update(found.owners)
        reasons.update(found.reasons)
    return Attribution(owners, reasons)


class OwnerSearch:
    """The search for the packages that list some files, or what stands in for them."""

    def __init__(self, files: Question, stand_ins: Mapping[bytes, list[StandIn]]) -> None:
        self._files = files
        self._stand_ins = stand_ins
        # In the order of the paths, so that what lies in a folder is together in memory, which it is not in a set.
        self._asked = dict.fromkeys(path for path in files.paths if path.startswith(b"/"))
        self._apart = {stand_in.path for found in stand_ins.values() for stand_in in found} - self._asked.keys()
        self._asked.update(dict.fromkeys(sorted(self._apart)))
        self._listed: dict[bytes, Installed] = {}
        self._developed: dict[bytes, tuple[Installed, str]] = {}

    def ask_system(self) -> None:
        """Ask the package managers that have a database below the root, other distributions' ones last."""
        self._ask_databases(list_system_managers())
        if not self._is_over():
            self._ask_databases(one for one in list_outside_managers() if isinstance(one, SystemManager))

    def _ask_databases(self, managers: Iterable[SystemManager]) -> None:
        place = self._files.root.rstrip(b"/")
        for manager in managers:
            database = next((name for name in manager.databases if os.path.exists(place + name)), None)
            if database is None:
                continue
            unlisted = [path for path in self._asked if path not in self._listed]
            began = time.perf_counter()
            found = manager.open_database(self._files.root).find_owners(unlisted)
            self._listed.update(found)
            debug_found(manager.name, place + database, len(unlisted), len(found), time.perf_counter() - began)

    def ask_languages(self) -> None:
        """Ask the package managers of languages and of clusters for what the system's packages do not own."""
        if self._is_over():
            return  # as for most programs of a system: no manager need be imported
        from rtrace.packages.unowned import Unowned

        files, prefix = self._files, self._files.root.rstrip(b"/")
        rest = {prefix + path: path for path in self._asked if path not in self._listed}
        programs = [prefix + path for path in rest.values() if self._may_be_program(path)]
        unowned = Unowned(rest.keys(), programs, files.modules, [prefix + path for path in files.paths])
        managers = [manager for manager in list_path_managers() if manager.may_own(unowned)]
        for manager in sorted(managers, key=lambda manager: bool(manager.reason)):
            began, asked = time.perf_counter(), len(rest)
            found = manager.open_database(unowned).find_owners(rest)
            debug_found(manager.name, prefix or b"/", asked, len(found), time.perf_counter() - began)
            for path, owner in found.items():
                if manager.reason:
                    self._developed.setdefault(rest[path], (owner, manager.reason))
                else:
                    self._listed[rest.pop(path)] = owner

    def _may_be_program(self, path: bytes) -> bool:
        executable = self._files.executable
        return executable is None or path in executable or path in self._apart

    def _is_over(self) -> bool:
        """Whether every file has an owner, or a stand-in that has one."""
        return all(
            path in self._listed or self._find_stand_in(path) is not None
            for path in self._asked
            if path not in self._apart
        )

    def _find_stand_in(self, path: bytes) -> StandIn | None:
        """Return the first of a path's stand-ins that a package lists."""
        return next((one for one in self._stand_ins.get(path, ()) if one.path in self._listed), None)

    def settle(self) -> tuple[dict[bytes, Installed], dict[bytes, str]]:
        """Return the owners of the files, and why, of those that no package lists."""
        owners = {path: self._listed[path] for path in self._files.paths if path in self._listed}
        reasons = {}
        for path in self._stand_ins:
            known = self._find_stand_in(path) if path not in owners else None
            if known is not None:
                owners[path] = self._listed[known.path]
                reasons[path] = known.reason
        for path, (owner, reason) in self._developed.items():
            if path not in owners and path not in self._apart:
                owners[path] = owner
                reasons[path] = reason
        return owners, reasons


def debug_found(name: str, place: bytes, asked: int, found: int, seconds: float) -> None:
    """Tell --debug how many of the files a package manager owns."""
    debug(__name__, "%s in %s owns %d of %d files (%.3f s)", name, os.fsdecode(place), found, asked, seconds)


def attribute_other_roots(files: Question, rest: Collection[bytes]) -> Attribution:
    """Return the owners of what lies below another root, such as a chroot that a run entered, by its own packages."""
    owners: dict[bytes, Installed] = {}
    reasons: dict[bytes, str] = {}
    for root, inside in group_by_root(rest):
        found = attribute_files(files.below(root, inside))
        place = os.fsdecode(root).encode(errors="backslashreplace").decode()
        owners.update(
            (root + path, owner._replace(name=f"{owner.name} in {place}")) for path, owner in found.owners.items()
        )
        reasons.update((root + path, reason) for path, reason in found.reasons.items())
    return Attribution(owners, reasons)


def group_by_root(paths: Collection[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the other roots below which some paths lie, each with those paths."""
    if paths:
        from rtrace.packages.roots import group_by_root as group

        managers = [*list_system_managers(), *list_outside_managers()]
        databases = [name for one in managers if isinstance(one, SystemManager) for name in one.databases]
        yield from group(paths, databases).items()
