"""Which files are packed: of those that the runs used, and of what a person or completion adds to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.describe.belonging import attribute_choices
from rtrace.describe.completion import COMPLETION
from rtrace.describe.draft import complete_choices, count_packages
from rtrace.describe.selection import Choice, Selection
from rtrace.files.hierarchy import is_provided
from rtrace.files.patterns import Patterns
from rtrace.pack.inclusion import REASON, include, look_up
from rtrace.trace.treatment import is_unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtrace.manifest.model import Manifest, Package
    from rtrace.packages.model import Attribution, Installed
    from rtrace.trace.reader import Before


def add_included(
    selection: Selection, manifest: Manifest, excluded: Patterns, place: bytes
) -> tuple[list[Choice], list[bytes], list[bytes]]:
    """Add what the manifest's patterns include, with its content; what a run touched stays as it was before the run.

    Gives the choices, the patterns that match nothing, and the files that keep to name and size because nobody has
    what they held: a run replaced or removed it unread, and what is there now is its doing.
    """
    if not manifest.include:
        return selection.choices, [], []

    def leave_out(path: bytes) -> bool:
        return excluded.match(path) or path.startswith(place + b"/") or is_provided(path)

    patterns = Patterns(manifest.include)
    added, unmatched = include(manifest.include, leave_out)
    chosen = {choice.before.path: choice for choice in selection.choices}
    gone = {path for path, choice in chosen.items() if choice.placeholder and is_gone(choice.before)}
    for choice in added:
        traced = chosen.get(choice.before.path)
        if traced is None:
            chosen[choice.before.path] = choice
        elif traced.placeholder and choice.before.path not in gone:
            chosen[choice.before.path] = traced._replace(reason=choice.reason, placeholder=False)
    for path, choice in chosen.items():  # what a run replaced or removed need not be there any more to be found
        if choice.placeholder and path not in gone and patterns.match(path):
            chosen[path] = choice._replace(reason=REASON, placeholder=False)
    known = [choice.before.path for choice in selection.choices]
    lost = [pattern for pattern in unmatched if not any(map(Patterns([pattern]).match, known))]
    return [chosen[path] for path in sorted(chosen)], lost, sorted(filter(patterns.match, gone))


def is_gone(before: Before) -> bool:
    """Tell whether nobody has the content any more that a run removed or replaced unread: it was not put back."""
    if not is_unread(before.use) or before.snapshot is not None:
        return False
    now = look_up(before.path)
    return now is None or (now.before.size, now.before.mtime_ns) != (before.size, before.mtime_ns)


def add_completed(choices: list[Choice], manifest: Manifest, excluded: Patterns) -> dict[bytes, Choice]:
    """Add what completes the files of the runs, as far as the manifest, or its cheapness, lets it in.

    Gives the choices by path, in the order of the paths.
    """
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


def leave_out_packages(
    choices: list[Choice], chosen: Mapping[bytes, Choice], manifest: Manifest, modules: frozenset[bytes]
) -> tuple[list[Choice], dict[bytes, Installed], Attribution]:
    """Attribute files to packages, and leave out those of packages that are not to be packed.

    Gives what is left, the owners among the packages that the runs used, and the whole attribution. ``chosen`` are the
    choices by path.
    """
    attribution = attribute_choices(choices, manifest.runs, modules)
    owners = dict(attribution.owners)
    known = {(package.manager, package.name): package.pack for package in manifest.packages}
    left_out = set()
    for path, owner in attribution.owners.items():
        packed = known.get((owner.manager, owner.name))
        if packed is False:
            del owners[path]
            left_out.add(path)
        elif packed is None and chosen[path].placeholder and not chosen[path].before.use:
            del owners[path]  # a package of which only the names of some files were seen is none that was used
    kept = [choice for choice in choices if choice.before.path not in left_out] if left_out else choices
    return kept, owners, attribution


def find_new_packages(
    chosen: Mapping[bytes, Choice], owners: Mapping[bytes, Installed], manifest: Manifest
) -> tuple[Package, ...]:
    """Give the packages that own chosen files and are not in the manifest, with their files added up."""
    known = {(package.manager, package.name) for package in manifest.packages}
    return tuple(package for package in count_packages(chosen, owners) if (package.manager, package.name) not in known)
