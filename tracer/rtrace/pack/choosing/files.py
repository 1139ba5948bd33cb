"""Which files are packed: those that the runs used, and what a person or completion adds, without some packages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug, is_debugging
from rtrace.describe.belonging import attribute_choices
from rtrace.describe.completion import COMPLETION
from rtrace.describe.draft import complete_choices, count_packages
from rtrace.describe.selection import Choice, Selection, select
from rtrace.files.hierarchy import is_provided
from rtrace.files.patterns import Patterns
from rtrace.pack.choosing.inclusion import PATTERN, include, look_up
from rtrace.trace.treatment import is_unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Manifest, Package
    from rtrace.packages.model import Attribution, Installed
    from rtrace.trace.reading.reader import Before


@dataclass(frozen=True, slots=True)
class ChosenFiles:
    """The files that are packed.

    ``packed`` are sorted by path; ``known`` are these and those of packages that are left out, by path. ``owners`` are
    packages that the runs used, by path; ``attribution`` has all packages. ``impossible`` are (path, what it is) of
    what no bundle can hold, ``unmatched`` patterns of `include:` that match nothing, ``gone`` files that it adds
    without content.
    """

    packed: list[Choice]
    known: dict[bytes, Choice]
    owners: dict[bytes, Installed]
    attribution: Attribution
    impossible: list[tuple[bytes, str]]
    unmatched: list[bytes]
    gone: list[bytes]


class _Included(NamedTuple):
    """Choices with those that `include:` adds, sorted by path; see `ChosenFiles`."""

    choices: list[Choice]
    unmatched: list[bytes]
    gone: list[bytes]


def choose_files(world: Iterable[Before], manifest: Manifest, place: bytes, modules: frozenset[bytes]) -> ChosenFiles:
    """Choose the files of a bundle.

    ``world`` is what was there before the runs, ``place`` the resolved trace directory, ``modules`` the environment
    modules that were loaded.
    """
    excluded = Patterns(manifest.exclude)
    selection = select(world, place, excluded.match if manifest.exclude else None)
    included = _add_included(selection, manifest, excluded, place)
    known = _add_completed(included.choices, manifest, excluded)
    attribution = attribute_choices(known.values(), manifest.runs, modules)
    packed, owners = _leave_out_packages(known, attribution, manifest)
    debug(
        __name__,
        "chosen: %d as the runs used them, %d more by include: and %d more by completion; %d left out with packages",
        len(selection.choices),
        len(included.choices) - len(selection.choices),
        len(known) - len(included.choices),
        len(known) - len(packed),
    )
    if is_debugging():
        for reason, number in Counter(choice.reason for choice in packed).most_common():
            debug(__name__, "%d are packed because: %s", number, reason)
    return ChosenFiles(packed, known, owners, attribution, selection.impossible, included.unmatched, included.gone)


def find_new_packages(chosen: ChosenFiles, manifest: Manifest) -> tuple[Package, ...]:
    """Return the packages that own chosen files and are not in the manifest, with their files counted."""
    known = {(package.manager, package.name) for package in manifest.packages}
    counted = count_packages(chosen.known, chosen.owners)
    return tuple(package for package in counted if (package.manager, package.name) not in known)


def _add_included(selection: Selection, manifest: Manifest, excluded: Patterns, place: bytes) -> _Included:
    """Add what `include:` matches, with its content; what a run touched is packed as it was before the run."""
    if not manifest.include:
        return _Included(selection.choices, [], [])

    def leave_out(path: bytes) -> bool:
        return excluded.match(path) or path.startswith(place + b"/") or is_provided(path)

    patterns = Patterns(manifest.include)
    added, unmatched = include(manifest.include, leave_out)
    chosen = {choice.before.path: choice for choice in selection.choices}
    gone = {path for path, choice in chosen.items() if choice.placeholder and _is_gone(choice.before)}
    for choice in added:
        traced = chosen.get(choice.before.path)
        if traced is None:
            chosen[choice.before.path] = choice
        elif traced.placeholder and choice.before.path not in gone:
            chosen[choice.before.path] = traced._replace(reason=choice.reason, placeholder=False)
    for path, choice in chosen.items():  # what a run replaced or removed may no longer be there to be found
        if choice.placeholder and path not in gone and patterns.match(path):
            chosen[path] = choice._replace(reason=PATTERN, placeholder=False)
    traced_paths = [choice.before.path for choice in selection.choices]
    lost = [pattern for pattern in unmatched if not any(map(Patterns([pattern]).match, traced_paths))]
    return _Included([chosen[path] for path in sorted(chosen)], lost, sorted(filter(patterns.match, gone)))


def _is_gone(before: Before) -> bool:
    """Whether the content of a file is lost: a run removed or replaced it unread, and it was not put back."""
    if not is_unread(before.use) or before.snapshot is not None:
        return False
    now = look_up(before.path)
    return now is None or (now.before.size, now.before.mtime_ns) != (before.size, before.mtime_ns)


def _add_completed(choices: list[Choice], manifest: Manifest, excluded: Patterns) -> dict[bytes, Choice]:
    """Add what completes the files of the runs, if the manifest says so or it is small; return all, sorted, by path."""
    switches = {(one.rule, one.name): one.pack for one in manifest.completion}
    additions = [one for one in complete_choices(choices) if switches.get((one.rule, one.name), one.cheap)]
    chosen = {choice.before.path: choice for choice in choices}
    for addition in additions:
        for path in addition.paths:
            traced = chosen.get(path)
            added = look_up(path, COMPLETION) if traced is None and not excluded.match(path) else None
            if added is not None:
                chosen[path] = added
            elif traced is not None and traced.placeholder and traced.before.type == "file":
                chosen[path] = traced._replace(reason=COMPLETION, placeholder=False)
    return chosen if len(chosen) == len(choices) else dict(sorted(chosen.items()))


def _leave_out_packages(
    known: Mapping[bytes, Choice], attribution: Attribution, manifest: Manifest
) -> tuple[list[Choice], dict[bytes, Installed]]:
    """Return the choices without packages that the manifest leaves out, and the owners that the runs used, by path."""
    owners = dict(attribution.owners)
    packages = {(package.manager, package.name): package.pack for package in manifest.packages}
    left_out = set()
    for path, owner in attribution.owners.items():
        packed = packages.get((owner.manager, owner.name))
        if packed is False:
            del owners[path]
            left_out.add(path)
        elif packed is None and known[path].placeholder and not known[path].before.use:
            del owners[path]  # only names of its files were seen: no run used this package
    return [choice for choice in known.values() if choice.before.path not in left_out], owners
