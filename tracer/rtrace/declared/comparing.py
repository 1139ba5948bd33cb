"""What a project declares, compared with what a run used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.declared.constraints import fits
from rtrace.declared.model import BUILD, CONSTRAINT, DEV, LOCK, Declared, Drift, Finding
from rtrace.declared.names import INSTALLERS, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.declared.model import Declarations, Key, Kind, Requires, Used

_APART = (DEV, BUILD, LOCK)
_ORDER: dict[Kind, int] = {"undeclared": 0, "version": 1, "unused": 2}


def compare(declared: Declarations, used: Iterable[Used], installed: Requires, base: tuple[str, str] | None) -> Drift:
    """Return the drift of a project.

    ``installed`` is what the packages that are installed say that they need, ``base`` name and version of the system.
    """
    used = sorted(set(used))
    requires = _join(declared.requires, installed)
    by_key: dict[Key, Used] = {}
    for one in used:
        known = by_key.get(one.key)
        if known is None or known.manager != one.ecosystem:  # its own manager knows best
            by_key[one.key] = one
    found = [
        *_find_undeclared(declared, used, requires),
        *_find_versions(declared, by_key),
        *_find_unused(declared, by_key, requires),
        *_find_base(declared, base),
    ]
    found.sort(key=lambda one: (_ORDER[one.kind], one.ecosystem, one.name, one.source or ""))
    return Drift(
        tuple(dict.fromkeys(found)), len({one.shown for one in used}), tuple(declared.files), tuple(declared.problems)
    )


def close_over(keys: Iterable[Key], requires: Requires) -> set[Key]:
    """Return packages, and all that they need."""
    reached: set[Key] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting.extend(requires.get(key, ()))
    return reached


def _join(*several: Mapping[Key, set[Key]]) -> dict[Key, set[Key]]:
    joined: dict[Key, set[Key]] = {}
    for requires in several:
        for key, needed in requires.items():
            joined.setdefault(key, set()).update(needed)
    return joined


def _find_undeclared(declared: Declarations, used: list[Used], requires: Requires) -> list[Finding]:
    """Return what was used, and is neither declared for runs nor needed by what is.

    A package that is several things, such as one of Debian that is a distribution of Python, is declared as any of
    them. Packages of a system are looked at only where files declare some, and the rest of the system is its own.
    """
    known = close_over(find_roots(declared), requires)
    fine = {(one.manager, one.shown) for one in used if one.key in known}
    systems = {one.ecosystem for one in declared.items} & SYSTEMS
    basic = close_over([(ecosystem, "") for ecosystem in systems], requires)
    elsewhere = {one.key: one for one in reversed(declared.items) if one.group in _APART}
    found = []
    for one in used:
        if one.ecosystem != one.manager or (one.manager, one.shown) in fine or one.name in INSTALLERS:
            continue
        if one.ecosystem in SYSTEMS and (one.ecosystem not in systems or one.key not in requires or one.key in basic):
            continue
        source = elsewhere.get(one.key)
        where = (None, None) if source is None else (source.source, source.group)
        found.append(Finding("undeclared", one.ecosystem, one.shown, None, one.version, *where))
    return found


def find_roots(declared: Declarations) -> list[Key]:
    """Return what a project declares that its runs need, extras included.

    A lock file has what developers need as well, and counts by itself only where nothing else declares anything.
    """
    roots = [one for one in declared.items if one.group not in _APART and one.group != CONSTRAINT]
    chosen, declaring = set(roots), {one.ecosystem for one in roots}
    return [
        one.key for one in declared.items if one in chosen or (one.group == LOCK and one.ecosystem not in declaring)
    ]


def _find_versions(declared: Declarations, used: Mapping[Key, Used]) -> list[Finding]:
    """Return what was used in a version that a file does not allow; one file may allow several."""
    wanted: dict[tuple[Key, str, bool], list[Declared]] = {}
    for one in declared.items:
        if one.constraint and one.key in used:
            wanted.setdefault((one.key, one.source, one.group == LOCK), []).append(one)
    found = []
    for (key, source, locked), several in wanted.items():
        version = used[key].version
        verdicts = [fits(one.ecosystem, one.constraint, version) for one in several]
        wrong = not any(verdict is not False for verdict in verdicts) if locked else False in verdicts
        if wrong:
            first = several[verdicts.index(False)]
            found.append(Finding("version", key[0], used[key].shown, first.constraint, version, source, first.group))
    return found


def _find_unused(declared: Declarations, used: Mapping[Key, Used], requires: Requires) -> list[Finding]:
    """Return what a run is declared to need and did not use.

    What something that was used needs is not told: whoever pins everything declares that as well. A package of a system
    that has no file of its own, and brings others that were used, counts as used.
    """
    needed = {other for key in used for other in requires.get(key, ())}
    found = []
    for one in declared.items:
        if (
            not one.is_needed
            or one.ecosystem == "base"
            or one.key in used
            or one.key in needed
            or one.name in INSTALLERS
        ):
            continue
        if one.ecosystem in SYSTEMS and not close_over([one.key], requires).isdisjoint(used):
            continue
        found.append(Finding("unused", one.ecosystem, one.name, one.constraint or None, None, one.source, one.group))
    return found


def _find_base(declared: Declarations, base: tuple[str, str] | None) -> list[Finding]:
    """Return the systems that Dockerfiles begin from and that are not the one that the run was on."""
    found = []
    for one in declared.items if base is not None else ():
        if one.ecosystem != "base":
            continue
        name, version = base or ("", "")
        same = one.name == name and (version == one.constraint or version.startswith(one.constraint + "."))
        if not same:
            found.append(
                Finding("version", "base", one.name, one.constraint, f"{name} {version}", one.source, one.group)
            )
    return found
