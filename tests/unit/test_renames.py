"""Outputs whose names change from run to run are paired with those of a replay, and only where there is one way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_making import wrote
from rtrace.manifest.model import NamedFile
from rtrace.verify import renames
from rtrace.verify.renames import find_patterns, find_renamed, pair_renamed, settle_renamed
from rtrace.verify.verdicts import Line

PATTERN = b"/work/out-*.txt"
NAMES = st.text("ab", min_size=1, max_size=2).map(lambda name: b"/work/out-%s.txt" % name.encode())


def missing(*paths: bytes) -> list[Line]:
    """Return the lines of outputs that a replay did not leave."""
    return [Line("missing", "run1", path) for path in paths]


def extra(*paths: bytes) -> list[Line]:
    """Return the lines of files that a replay left and nobody expected."""
    return [Line("extra", "run1", path) for path in paths]


def output(path: bytes, pattern: bytes | None) -> NamedFile:
    """Return an output whose name changes."""
    return NamedFile("out", path, ("run1",), pattern)


def test_one_other_name_that_fits_is_the_output() -> None:
    """A missing output and the only file that its pattern matches belong together."""
    lines = missing(b"/work/out-1.txt") + extra(b"/work/out-2.txt", b"/work/other", b"/work/deeper/out-3.txt")
    assert pair_renamed(lines, {b"/work/out-1.txt": PATTERN}) == {b"/work/out-1.txt": b"/work/out-2.txt"}


@pytest.mark.parametrize(
    "lines",
    [
        missing(b"/work/out-1.txt") + extra(b"/work/out-2.txt", b"/work/out-3.txt"),
        missing(b"/work/out-1.txt") + extra(b"/work/out-2.log"),
        missing(b"/work/other") + extra(b"/work/out-2.txt"),
        [Line("different", "run1", b"/work/out-1.txt"), *extra(b"/work/out-2.txt")],
        [*missing(b"/work/out-1.txt"), Line("same", "run1", b"/work/out-2.txt")],
        [*missing(b"/work/out-1.txt"), Line("extra", "run1", None)],
    ],
    ids=["two fit", "none fits", "no pattern", "not missing", "not extra", "no path"],
)
def test_what_is_not_certain_is_not_paired(lines: list[Line]) -> None:
    """Where more or fewer than one file fit, or the output is there, no pair is made."""
    assert pair_renamed(lines, {b"/work/out-1.txt": PATTERN}) == {}


def test_without_patterns_there_are_no_pairs() -> None:
    """An experiment whose outputs keep their names has nothing to pair."""
    assert pair_renamed(missing(b"/a") + extra(b"/b"), {}) == {}


def test_one_file_is_not_two_outputs() -> None:
    """Two outputs that the same file fits are both left alone."""
    lines = missing(b"/work/out-1.txt", b"/work/out-2.txt") + extra(b"/work/out-3.txt")
    assert pair_renamed(lines, {b"/work/out-1.txt": PATTERN, b"/work/out-2.txt": PATTERN}) == {}


def test_a_flood_of_names_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes of names than a limit are not compared with patterns; as many as the limit are."""
    lines = missing(b"/work/out-1.txt") + extra(b"/work/out-2.txt")
    pairs = {b"/work/out-1.txt": b"/work/out-2.txt"}
    monkeypatch.setattr(renames, "_MOST_MATCHED", len(b"/work/out-2.txt"))
    assert pair_renamed(lines, {b"/work/out-1.txt": PATTERN}) == pairs
    monkeypatch.setattr(renames, "_MOST_MATCHED", len(b"/work/out-2.txt") - 1)
    assert pair_renamed(lines, {b"/work/out-1.txt": PATTERN}) == {}


@given(st.sets(NAMES), st.sets(NAMES), st.randoms())
def test_pairs_do_not_depend_on_the_order_of_lines(gone: set[bytes], new: set[bytes], random: object) -> None:
    """Each pair is of a missing output and an extra file, no file is in two, and any order gives the same."""
    gone -= new
    lines = missing(*sorted(gone)) + extra(*sorted(new))
    patterns = dict.fromkeys(sorted(gone), PATTERN)
    pairs = pair_renamed(lines, patterns)
    random.shuffle(lines)  # type: ignore[attr-defined]
    assert pair_renamed(lines, patterns) == pairs
    assert len(set(pairs.values())) == len(pairs)
    assert pairs == ({gone.pop(): new.pop()} if len(gone) == len(new) == 1 else {})


def test_a_pair_takes_the_place_of_its_two_lines() -> None:
    """The comparison under the new name stands where the output was missing; the extra file has no line."""
    old, new = b"/work/out-1.txt", b"/work/out-2.txt"
    expected = [wrote(old, b"content"), wrote(b"/work/gone", b""), wrote(b"/work/there", b"content")]
    renamed = {old: new, b"/work/there": b"/work/else"}
    there = Line("different", "run1", b"/work/there", "9 bytes, was 7")
    lines = [*missing(old, b"/work/gone"), *extra(new, b"/work/more"), Line("same", "run1", None), there]
    same = list(settle_renamed(lines, renamed, expected, {new: wrote(new, b"content", run="")}))
    assert same == [
        Line("same", "run1", old, f"now called {new.decode()}"),
        *missing(b"/work/gone"),
        *extra(b"/work/more"),
        Line("same", "run1", None),
        there,
    ]
    longer = next(settle_renamed(lines, {old: new}, expected, {new: wrote(new, b"more content", run="")}))
    assert (longer.verdict, longer.detail) == ("different", f"now called {new.decode()}; 12 bytes, was 7")


def test_a_pair_of_another_run_is_left_alone() -> None:
    """The line of a run that did not write the output stays as it is."""
    lines = [replace(line, run="run2") for line in missing(b"/work/out-1.txt")]
    expected = [wrote(b"/work/out-1.txt", b"content")]
    assert list(settle_renamed(lines, {b"/work/out-1.txt": b"/work/out-2.txt"}, expected, {})) == lines


def test_folders_above_an_output_change_their_names_as_well() -> None:
    """Each folder on the way whose own name changes has a pattern, up to the first that keeps its name."""
    patterns = find_patterns([output(b"/work/2026/a-1/out.txt", b"/work/*/a-*/out.txt")])
    assert patterns == {
        b"/work/2026/a-1/out.txt": b"/work/*/a-*/out.txt",
        b"/work/2026/a-1": b"/work/*/a-*",
        b"/work/2026": b"/work/*",
    }
    assert find_patterns([output(b"/work/out-1.txt", PATTERN)]) == {b"/work/out-1.txt": PATTERN}


@pytest.mark.parametrize("pattern", [None, b"/work/out-1.txt"])
def test_an_output_that_keeps_its_name_has_no_pattern(pattern: bytes | None) -> None:
    """Without a pattern, or with one that is the path, nothing changes."""
    assert find_patterns([output(b"/work/out-1.txt", pattern)]) == {}


def test_a_pattern_of_another_depth_stands_for_the_output_alone() -> None:
    """Where slashes cannot be brought together, no folder has a pattern."""
    assert find_patterns([output(b"/work/a/out.txt", b"/work/**")]) == {b"/work/a/out.txt": b"/work/**"}


def test_only_so_many_folders_above_an_output_have_a_pattern() -> None:
    """However deep an output lies, the patterns of the folders above it have a limit."""
    deep = 200
    patterns = find_patterns([output(b"/a" * deep + b"/x", b"/*" * deep + b"/x")])
    assert len(patterns) == renames._MOST_FOLDERS
    assert min(map(len, patterns)) == 2 * (deep + 2 - renames._MOST_FOLDERS)


def test_patterns_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns that come with a bundle take so much memory and no more."""
    monkeypatch.setattr(renames, "_PATTERNS_ROOM", 3 * len(b"/a/1" + b"/a/*"))
    outputs = [output(b"/a/%d" % number, b"/a/*") for number in range(9)]
    assert len(find_patterns(outputs)) == 4


class Replayed:
    """A target of which a test says what is in it; it notes what it was asked."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.asked: dict[bytes, int | None] = {}

    def inspect(self, sizes: dict[bytes, int | None], entries: object) -> object:
        """Return what is at some paths."""
        assert entries == ["entries"]
        self.asked = sizes
        return type("Found", (), {"found": {path: wrote(path, b"content") for path in sizes}})


def test_files_under_their_new_names_are_looked_at() -> None:
    """The target is asked about the new names, with the sizes that the original's had; about none if there is none."""
    target = Replayed()
    old, new = b"/work/out-1.txt", b"/work/out-2.txt"
    results = [wrote(old, b"four"), wrote(b"/other", b"")]
    found = find_renamed(target, {old: new}, results, ["entries"])  # type: ignore[arg-type,list-item]
    assert (target.asked, found) == ({new: 4}, {new: wrote(new, b"content")})
    assert find_renamed(target, {}, results, ["entries"]) == {}  # type: ignore[arg-type,list-item]
