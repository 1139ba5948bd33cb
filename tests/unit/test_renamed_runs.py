"""A run keeps its results, its place and its files whatever a person calls it; a name that leads nowhere is refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_samples import RUN
from rtrace.errors import UsageError
from rtrace.manifest.merging.edited import Edited
from rtrace.manifest.merging.edits import keep_edits
from rtrace.manifest.merging.joining import join_edits
from rtrace.manifest.merging.matching import match_runs
from rtrace.manifest.model import Manifest, NamedFile, Run
from rtrace.replay.needs import add_needed, choose_runs, tell_unknown_needs

FIRST, SECOND, THIRD = (replace(RUN, id=f"run{number}", started=float(number)) for number in (1, 2, 3))


def call(run: Run, name: str, **changes: object) -> Run:
    """Return a run as a person has edited it."""
    return replace(run, id=name, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edited, found",
    [
        ((FIRST, SECOND), {"run1": "run1", "run2": "run2"}),
        ((call(SECOND, "plot"), FIRST), {"plot": "run2", "run1": "run1"}),
        ((call(FIRST, "run2"), call(SECOND, "run1")), {"run2": "run1", "run1": "run2"}),
        ((call(SECOND, "run1"),), {"run1": "run2"}),
        ((FIRST, call(FIRST, "run2")), {"run1": "run1"}),
        ((FIRST, call(FIRST, "again")), {"run1": "run1"}),
        ((FIRST, call(SECOND, "run2", started=None)), {"run1": "run1", "run2": "run2"}),
        ((FIRST, call(SECOND, "plot", started=None)), {"run1": "run1", "plot": "run2"}),
        ((FIRST, call(SECOND, "plot", started=None, argv=(b"other",))), {"run1": "run1"}),
    ],
)
def test_runs_are_known_by_more_than_their_names(edited: tuple[Run, ...], found: dict[str, str]) -> None:
    """Renamed, exchanged, taken out or copied: a run of a manifest is the one of the trace that it was made of."""
    assert match_runs((FIRST, SECOND), edited) == found


def test_further_run_comes_after_those_that_were_renamed() -> None:
    """A run that is added comes last, under a name that is free, and files are those of the runs as they are called."""
    edited = Manifest(
        "0", (call(FIRST, "run3"), call(SECOND, "plot")), outputs=(NamedFile("a", b"/a", ("run3", "plot")),)
    )
    draft = Manifest(
        "0",
        (FIRST, SECOND, replace(THIRD, needs=("run1", "run2"))),
        outputs=(NamedFile("a", b"/a", ("run1", "run2", "run3")), NamedFile("b", b"/b", ("run3",))),
    )
    kept = keep_edits(draft, edited)
    assert [(run.id, run.started, run.needs) for run in kept.runs] == [
        ("run3", 1.0, ()),
        ("plot", 2.0, ()),
        ("run3_2", 3.0, ("run3", "plot")),
    ]
    assert [(file.name, file.runs) for file in kept.outputs] == [("a", ("run3", "plot", "run3_2")), ("b", ("run3_2",))]


def test_renamed_runs_are_joined_under_their_names() -> None:
    """When traces are brought together, what a person called a run is its name there, too."""
    out = NamedFile("out", b"/out", ("run1",))
    draft = Manifest("0", (FIRST,), outputs=(out,))
    mine = replace(draft, runs=(call(FIRST, "fit"),), outputs=(replace(out, runs=("fit",)),))
    both = Manifest("0", (FIRST, SECOND), outputs=(replace(out, runs=("run1", "run2")),))
    joined, problems = join_edits(
        both, [Edited("A", draft, mine, {"run1": "run2"}), Edited("B", draft, draft, {"run1": "run1"})]
    )
    assert (problems, [run.id for run in joined.runs], joined.outputs) == (
        (),
        ["run1", "fit"],
        (replace(out, runs=("run1", "fit")),),
    )


def test_bundle_of_before_does_not_say_what_runs_need() -> None:
    """A run of it that is verified alone may lack the files of those before it, which are named then."""
    told = "if run2 uses files of run1, name these runs, too"
    assert tell_unknown_needs((FIRST, SECOND, THIRD), (SECOND,)) == told
    assert tell_unknown_needs((FIRST, SECOND), (FIRST, SECOND)) is None
    assert tell_unknown_needs((FIRST, SECOND, replace(THIRD, needs=("run1",))), (SECOND,)) is None


@pytest.mark.parametrize(
    "names, order",
    [
        (("c",), ["a", "b", "c"]),
        (("c", "a"), ["a", "b", "c"]),
        (("a", "c"), ["a", "b", "c"]),
        (("2",), ["a", "b"]),
        (("a-c",), ["a", "b", "c"]),
        (("1-2", "4"), ["a", "b", "d"]),
        (("d", "b"), ["d", "a", "b"]),
        ((), ["a", "b", "c", "d"]),
    ],
)
def test_needed_runs_come_once_and_before(names: tuple[str, ...], order: list[str]) -> None:
    """Each run comes after all that it needs, by way of others too, and each once."""
    runs = [replace(RUN, id=name, needs=needs) for name, needs in (("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ()))]
    assert [run.id for run in add_needed(runs, choose_runs(runs, names, Path("bundle")))] == order


def test_numbers_and_ranges_name_runs() -> None:
    """A number is the run that is called by it, else the run of that place; a range has all between; own names win."""
    runs = [replace(RUN, id=name) for name in ("run2", "fit-all", "2-3", "run4")]

    def choose(*names: str) -> list[str]:
        return [run.id for run in choose_runs(runs, names, Path("bundle"))]

    assert choose("2") == ["run2"]
    assert choose("1") == ["run2"]
    assert choose("3") == ["2-3"]
    assert choose("2-3") == ["2-3"]
    assert choose("fit-all") == ["fit-all"]
    assert choose("run2-fit-all") == ["run2", "fit-all"]
    assert choose("fit-all-2-3") == ["fit-all", "2-3"]
    assert choose("1-run4") == ["run2", "fit-all", "2-3", "run4"]


@pytest.mark.parametrize(
    "names, message",
    [
        (("5",), "bundle has no run '5'; it has: a, b, c"),
        (("0",), "has no run '0'"),
        (("1-9",), "has no run '1-9'"),
        (("9" * 5000,), "has no run"),
        (("-",), "has no run '-'"),
        (("c-a",), "the range 'c-a' goes backwards: c comes after a"),
        (("a", "1"), "a is named twice in 'a 1'"),
        (("1-2", "b"), "b is named twice"),
    ],
)
def test_names_that_stand_for_no_runs_are_refused(names: tuple[str, ...], message: str) -> None:
    """An unknown run, a range that goes backwards and a run that is named twice get a sentence each."""
    runs = [replace(RUN, id=name) for name in "abc"]
    with pytest.raises(UsageError, match=re.escape(message)):
        choose_runs(runs, names, Path("bundle"))
