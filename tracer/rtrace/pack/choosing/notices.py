"""Notices of what planning a bundle finds: each says what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from rtrace.manifest.incompleteness import INPUT
from rtrace.manifest.model import Notice
from rtrace.printable import name_some, plural, printable


def describe_impossible(path: bytes, what: str) -> Notice:
    """Return the notice of something that no bundle can hold."""
    return Notice(
        "not packed",
        f"{printable(path)} is {what}",
        "a bundle holds files, folders, symlinks and FIFOs only; a replay needs it to be there",
    )


def describe_misplaced(path: bytes, why: str) -> Notice:
    """Return the notice of a path that cannot be among the others."""
    return Notice("not packed", f"{printable(path)} has no place in the bundle: {why}", "a replay does not have it")


def describe_secret_path(path: bytes) -> Notice:
    """Return the notice of a file whose path contains a secret; the given path is already redacted."""
    return Notice("secret", f"{printable(path)} was not packed: its name tells a secret", "rename it and trace again")


def describe_unknown_run(name: str) -> Notice:
    """Return the notice of a run that is in the manifest only."""
    return Notice(
        "by hand",
        f"{name} is no run of the trace, so nothing is known about what it does",
        "trace it with `rtrace trace --continue`, or put back the `started:` of the run that it was",
    )


def describe_lost_run(name: str, writer: str, *, may_be_included: bool) -> Notice:
    """Return the notice of a run that needs files of one that was taken out of the manifest."""
    return Notice(
        "by hand" if may_be_included else INPUT,
        f"{name} uses files that {writer} of the trace wrote, which was taken out of the manifest",
        "they are not in the bundle; put that run back, or add the files with `include:`",
    )


def describe_interference(path: bytes, how: str, earlier: str, run: str) -> Notice:
    """Return the notice of a file that was made, changed or removed between two runs of a trace."""
    advice = (
        "it is not in the bundle; add it with `include:`, or trace again from the start"
        if how == "made"
        else f"a replay has it as {earlier} left it; trace what was done to it as well, or trace again from the start"
    )
    return Notice(INPUT, f"{printable(path)} was {how} between {earlier} and {run}, which uses it", advice)


def describe_unmatched(pattern: bytes, key: str) -> Notice:
    """Return the notice of a pattern in the manifest that matches nothing."""
    return Notice("pattern", f"the pattern {printable(pattern)} matches nothing", f"correct it under `{key}:`")


def describe_gone(path: bytes) -> Notice:
    """Return the notice of a file to be included whose content is lost."""
    return Notice(
        "pattern",
        f"{printable(path)} is included by name and size only: a run replaced or removed it before anything read it",
        "restore it and pack again, or take it out of `include:`",
    )


def describe_without_address(paths: Sequence[bytes]) -> Notice:
    """Return the notice of content that is left out while the manifest does not say where it is."""
    return Notice(
        "elsewhere",
        f"the content of {name_some([printable(path) for path in paths])} is not in the bundle",
        f"say under `elsewhere:` in the manifest at which URL {plural(len(paths), 'it is', 'they are')}, "
        f"or hand the {plural(len(paths), 'file')} over with the bundle",
    )
