"""What planning a bundle has to tell, with what to do about it."""

from __future__ import annotations

from rtrace.manifest.incompleteness import INPUT
from rtrace.manifest.model import Notice
from rtrace.printable import printable


def tell_impossible(path: bytes, what: str) -> Notice:
    """Tell of what no bundle can hold."""
    return Notice(
        "not packed",
        f"{printable(path)} is {what}",
        "a bundle holds files, folders, symlinks and FIFOs only; what is behind it has to be there at the replay",
    )


def tell_misplaced(path: bytes, why: str) -> Notice:
    """Tell of what has no place among the other files."""
    return Notice("not packed", f"{printable(path)} has no place in the bundle: {why}", "it is missing at the replay")


def tell_telling(path: bytes) -> Notice:
    """Tell of a file whose name is a secret; the path is without it."""
    return Notice("secret", f"{printable(path)} was not packed: its name tells a secret", "rename it, and trace again")


def tell_unknown_run(name: str) -> Notice:
    """Tell of a run that is in the manifest only."""
    return Notice(
        "by hand",
        f"{name} is no run of the trace, so that nothing is known of what it does",
        "trace it with `rtrace trace --continue`, or put back the `started:` of the run that it was, to have it judged",
    )


def tell_lost_run(name: str, writer: str, *, may_be_there: bool) -> Notice:
    """Tell of a run that uses files of one that was taken out; what is included by hand may be these."""
    return Notice(
        "by hand" if may_be_there else INPUT,
        f"{name} uses files that {writer} of the trace wrote, which was taken out of the manifest",
        "they are not in the bundle; put that run back, or add the files with `include:`",
    )


def tell_interference(path: bytes, how: str, earlier: str, run: str) -> Notice:
    """Tell of a file that somebody made, changed or removed between two runs of a trace."""
    advice = (
        "it is not in the bundle; add it with `include:`, or trace again from the start"
        if how == "made"
        else f"a replay has it as {earlier} left it; trace what was done to it, too, or trace again from the start"
    )
    return Notice(INPUT, f"{printable(path)} was {how} between {earlier} and {run}, which uses it", advice)


def tell_unmatched(pattern: bytes, key: str) -> Notice:
    """Tell of a pattern in the manifest that is of no use."""
    return Notice("pattern", f"the pattern {printable(pattern)} matches nothing", f"correct it under `{key}:`")


def tell_gone(path: bytes) -> Notice:
    """Tell of content that is to be included and is not to be had."""
    return Notice(
        "pattern",
        f"{printable(path)} is included by name and size only: a run replaced or removed it before anything read it",
        "put it back as it was and pack again, or take it out of `include:`",
    )


def tell_homeless(path: bytes) -> Notice:
    """Tell of content that is left out, and nobody has said where it is."""
    return Notice(
        "elsewhere",
        f"the content of {printable(path)} is not in the bundle",
        "say under `elsewhere:` in the manifest at which url it is, or hand the file over with the bundle",
    )
