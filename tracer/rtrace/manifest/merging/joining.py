"""What persons have edited in the manifests of several traces, taken over into the one of them all.

An edit is what a manifest says otherwise than the draft of its own trace:

    draft of a trace ─┐
                      ├─ what differs ─> the draft of all traces ─┬─> their manifest
    its manifest ─────┘                                           └─> a sentence for each edit that has no place there
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from rtrace.manifest.free_names import FreeNames, find_free
from rtrace.manifest.merging.claims import join_claims
from rtrace.manifest.merging.edited import Edited
from rtrace.manifest.merging.matching import match_runs, rename_runs
from rtrace.manifest.model import Completion, Package, SecretPack
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import TypeVar

    from rtrace.manifest.model import Elsewhere, Manifest, NamedFile, Notice, Run, Secret

    S = TypeVar("S", Package, Completion)

_STRICTEST_FIRST = (SecretPack.LEFT_OUT, SecretPack.REDACTED, SecretPack.AS_IT_IS)


def join_edits(draft: Manifest, sources: Sequence[Edited]) -> tuple[Manifest, tuple[str, ...]]:
    """Return the draft of several traces with the edits of their manifests, and a sentence for each without a place."""
    problems: list[str] = []
    called = [match_runs(source.draft.runs, source.manifest.runs) for source in sources]
    wanted = {
        source.runs[traced]: mine
        for source, names in zip(sources, called, strict=True)
        for mine, traced in names.items()
        if mine != traced
    }
    sources = [_call_as_traced(source, names) for source, names in zip(sources, called, strict=True)]
    runs = _join_runs(draft.runs, sources, problems)
    known = frozenset(run.id for run in runs)
    joined = replace(
        draft,
        runs=runs,
        inputs=_join_files(draft, sources, "inputs", known, problems),
        outputs=_join_files(draft, sources, "outputs", known, problems),
        packages=_join_switched(
            draft.packages, [(s.name, s.draft.packages, s.manifest.packages) for s in sources], problems
        ),
        completion=_join_switched(
            draft.completion, [(s.name, s.draft.completion, s.manifest.completion) for s in sources], problems
        ),
        exclude=tuple(dict.fromkeys(pattern for source in sources for pattern in source.manifest.exclude)),
        include=tuple(dict.fromkeys(pattern for source in sources for pattern in source.manifest.include)),
        ignore=tuple(dict.fromkeys(pattern for source in sources for pattern in source.manifest.ignore)),
        secrets=_join_secrets(sources, problems),
        elsewhere=_join_elsewhere(sources, problems),
        notices=_join_notices(draft.notices, sources),
    )
    joined = replace(joined, claims=join_claims(joined, sources, problems))
    free = FreeNames(run.id for run in runs if run.id not in wanted)
    wanted = {run.id: free.take(wanted[run.id]) for run in runs if run.id in wanted}
    return rename_runs(joined, wanted), tuple(problems)


def _call_as_traced(source: Edited, names: Mapping[str, str]) -> Edited:
    """Return a manifest whose runs have their names in the trace again; one written by hand has a name of its own."""
    taken = {run.id for run in source.draft.runs}
    whole = {run.id: names.get(run.id) or find_free(run.id, taken) for run in source.manifest.runs}
    return replace(source, manifest=rename_runs(source.manifest, whole))


def _join_runs(drafted: tuple[Run, ...], sources: Sequence[Edited], problems: list[str]) -> tuple[Run, ...]:
    """Take over what was changed in runs, and which of them were taken out."""
    runs = {run.id: run for run in drafted}
    for source in sources:
        before = {run.id: run for run in source.draft.runs}
        after = {run.id: run for run in source.manifest.runs}
        for name, run in after.items():
            if name in before:
                runs[source.runs[name]] = _change(runs[source.runs[name]], before[name], run)
            else:
                problems.append(f"the run {run.id} of {source.name} was written by hand; add it to the new manifest")
        for name in before.keys() - after.keys():
            del runs[source.runs[name]]
    return tuple(runs.values())


def _change(run: Run, before: Run, after: Run) -> Run:
    """Return a run with what differs between one text of it and the one before; its id stays."""
    names = [field.name for field in fields(run) if field.name not in {"id", "needs"}]
    return replace(
        run, **{name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
    )


def _join_switched(
    drafted: tuple[S, ...], sources: Sequence[tuple[str, tuple[S, ...], tuple[S, ...]]], problems: list[str]
) -> tuple[S, ...]:
    """Take over which packages or completions are packed; what one of the manifests leaves out is left out."""
    here = {_name(item): item for item in drafted}
    decided: dict[Hashable, str] = {}
    for source, before, after in sources:
        proposed = {_name(item): item.pack for item in before}  # by what is installed here, which may be another host
        for item in after:
            name = _name(item)
            if item.pack == proposed.get(name, item.pack if isinstance(item, Completion) else True):
                continue
            said = f"{source} has `pack: {'true' if item.pack else 'false'}` for {item.name}"
            if name not in here:
                problems.append(
                    f"{said}, which the runs together do not need in this version; look at the new manifest"
                )
            elif name in decided and here[name].pack != item.pack:
                problems.append(f"{said}, and {decided[name]} the contrary; it is left out")
                here[name] = replace(here[name], pack=False)
            else:
                decided[name] = source
                here[name] = replace(here[name], pack=item.pack)
    return tuple(here.values())


def _name(item: Package | Completion) -> Hashable:
    """Return what identifies an item in two manifests."""
    if isinstance(item, Completion):
        return (item.rule, item.name)
    return (item.manager, item.name, item.architecture, item.version)


def _join_files(
    draft: Manifest, sources: Sequence[Edited], section: str, known: frozenset[str], problems: list[str]
) -> tuple[NamedFile, ...]:
    """Take over the names and patterns of inputs or outputs, those that were added, and which were taken out."""
    files: dict[bytes, NamedFile] = {file.path: file for file in getattr(draft, section)}
    named: dict[bytes, str] = {}
    for source in sources:
        before = {file.path: file for file in _rename_runs(getattr(source.draft, section), source)}
        after = {file.path: file for file in _rename_runs(getattr(source.manifest, section), source)}
        own = frozenset(source.runs.values())
        for path in before.keys() - after.keys():
            if path in files:
                files[path] = replace(files[path], runs=tuple(run for run in files[path].runs if run not in own))
        for path, file in after.items():
            if file == before.get(path):
                continue
            if path in before and path not in files:
                problems.append(
                    f"{source.name} names {printable(path)} {file.name} among its {section}; what one run makes for"
                    " another is not one of all runs together"
                )
            elif path in named and files[path].name != file.name:
                problems.append(
                    f"{source.name} names {printable(path)} {file.name}, and {named[path]} names it {files[path].name},"
                    " which counts"
                )
            elif path in named and files[path].compare != file.compare and file.compare is not None:
                problems.append(
                    f"{source.name} has another `compare` for {printable(path)} than {named[path]}, which counts"
                )
            else:
                named[path] = source.name
                others = tuple(run for run in files[path].runs if run not in own) if path in files else ()
                files[path] = replace(file, runs=(*others, *file.runs))
    left = [replace(file, runs=tuple(run for run in file.runs if run in known)) for file in files.values()]
    return _tell_apart([file for file in left if file.runs or file.path in named], named, problems)


def _rename_runs(files: Sequence[NamedFile], source: Edited) -> list[NamedFile]:
    return [replace(file, runs=tuple(source.runs[run] for run in file.runs if run in source.runs)) for file in files]


def _tell_apart(files: Sequence[NamedFile], named: Mapping[bytes, str], problems: list[str]) -> tuple[NamedFile, ...]:
    """Return the files with names of their own; where two want the same, the first that a person has named keeps it."""
    taken: dict[str, bytes] = {}
    free = FreeNames()
    for file in sorted(files, key=lambda file: file.path not in named):
        name = free.take(file.name)
        if name != file.name and file.path in named:
            problems.append(
                f"{named[file.path]} names {printable(file.path)} {file.name}, as {printable(taken[file.name])} is"
                f" called already; it is {name} now"
            )
        taken[name] = file.path
    names = {path: name for name, path in taken.items()}
    return tuple(replace(file, name=names[file.path]) for file in files)


def _join_secrets(sources: Sequence[Edited], problems: list[str]) -> tuple[Secret, ...]:
    """Take over what becomes of secrets; the stricter word counts."""
    found: dict[Hashable, tuple[Secret, str]] = {}
    for source in sources:
        for secret in source.manifest.secrets:
            known, other = found.setdefault((secret.place, secret.rule), (secret, source.name))
            if known.pack is not secret.pack:
                kept = min((known, other), (secret, source.name), key=lambda one: _STRICTEST_FIRST.index(one[0].pack))
                found[secret.place, secret.rule] = kept
                problems.append(
                    f"{source.name} has `pack: {secret.pack.value}` for the secret {secret.place}, and {other}"
                    f" `{known.pack.value}`; `{kept[0].pack.value}` counts"
                )
    return tuple(secret for secret, _ in found.values())


def _join_elsewhere(sources: Sequence[Edited], problems: list[str]) -> tuple[Elsewhere, ...]:
    """Take over which content is left elsewhere; of two places the first one counts."""
    found: dict[bytes, tuple[Elsewhere, str]] = {}
    for source in sources:
        for one in source.manifest.elsewhere:
            known, other = found.setdefault(one.path, (one, source.name))
            if known != one:
                problems.append(
                    f"{source.name} has something else for {printable(one.path)} under `elsewhere` than {other}, which"
                    " counts"
                )
    return tuple(one for one, _ in found.values())


def _join_notices(drafted: tuple[Notice, ...], sources: Sequence[Edited]) -> tuple[Notice, ...]:
    """Take over which notices were added, and which were taken out."""
    gone = {notice for source in sources for notice in source.draft.notices if notice not in source.manifest.notices}
    added = [notice for source in sources for notice in source.manifest.notices if notice not in source.draft.notices]
    return tuple(dict.fromkeys((*(notice for notice in drafted if notice not in gone), *added)))
