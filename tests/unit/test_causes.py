"""Causes told apart by what replays left."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtrace.cli.verify import show_report
from rtrace.operations.explaining.explaining import add_extra, is_unlike, sort_causes
from rtrace.verify.causes.observation import Observation, Subject
from rtrace.verify.causes.telling import explains_all, is_temporary_name
from rtrace.verify.verdicts import Line, Report

OUT = Subject("run1", None, "stdout")


def observe(folder: Path, text: bytes, names: tuple[bytes, ...]) -> Observation:
    """Return what a replay left that printed a text, and made files of some names."""
    path = folder / str(len(list(folder.iterdir())))
    path.write_bytes(text)
    return Observation({OUT: text}, {OUT: path}, frozenset(names))


@pytest.mark.parametrize(
    "one, other, expected",
    [
        ((b"sorted in scratch.a1B2c3", b"scratch.a1B2c3"), (b"sorted in scratch.x9Y8z7", b"scratch.x9Y8z7"), True),
        ((b"in /tmp/a1b: 3", b""), (b"in /tmp/x9y: 3", b""), True),
        ((b"in /tmp/a1b: 3", b""), (b"in /tmp/x9y: 4", b""), False),
        ((b"key a1B2c3", b"other1"), (b"key x9Y8z7", b"other2"), False),
        ((b"a", b"a"), (b"b", b"b"), False),
        ((b"in /tmp/study/log-1", b""), (b"in /tmp/study/log-2", b""), False),
    ],
)
def test_a_made_up_name_is_told_from_other_random_things(
    tmp_path: Path, one: tuple[bytes, bytes], other: tuple[bytes, bytes], *, expected: bool
) -> None:
    """Only where nothing but names of new files differs, and names that are long enough to be sure of."""
    usual, varied = (observe(tmp_path, text, (name,)) for text, name in (one, other))
    assert is_temporary_name(OUT, usual, varied) is expected


@pytest.mark.parametrize(
    "original, replayed, usual, others, expected",
    [
        (b"1\nx\n", b"2\nx\n", b"3\nx\n", [b"4\nx\n"], True),
        (b"1\nx\n", b"2\ny\n", b"3\ny\n", [b"4\ny\n"], False),
        (b"1\nx\n", b"2\ny\n", b"3\ny\n", [b"4\ny\n", b"3\nz\n"], True),
        (b"1\nx\n", b"2\n", b"3\n", [b"4\n"], True),
        (b"a\nb\nc\n", b"c\nb\na\n", b"b\na\nc\n", [b"a\nb\nc\n"], True),
        (b"a\nb\nc\n", b"c\nb\nx\n", b"b\na\nc\n", [b"a\nb\nc\n"], False),
        (b"a\nb\nc\n", b"c\nb\na\n", b"1\nb\nc\n", [b"2\nb\nc\n"], False),
    ],
)
def test_what_is_left_of_a_difference(
    original: bytes, replayed: bytes, usual: bytes, others: list[bytes], *, expected: bool
) -> None:
    """A line that differs from the original's, and that no varied cause moves, has another cause."""
    assert explains_all(original, replayed, usual, others) is expected


def test_an_unexpected_file_has_the_causes_of_the_missing_one() -> None:
    """They lie in one folder, and are one file under two names."""
    lines = (
        Line("missing", "run1", b"/w/log-7", causes=("process-id",)),
        Line("extra", "run1", b"/w/log-8"),
        Line("extra", "run1", b"/other/log-8"),
    )
    assert [line.causes for line in add_extra(lines)] == [("process-id",), ("process-id",), ()]


def test_causes_are_in_the_order_of_the_vocabulary() -> None:
    """Each once."""
    assert sort_causes(["unknown", "random", "time", "random"]) == ("time", "random", "unknown")


def test_what_is_not_known_is_not_unlike() -> None:
    """Without a digest of the original's, or of the replay's, nothing is said."""
    assert not is_unlike((1, "abc"), None)
    assert not is_unlike(None, "abc")
    assert not is_unlike((1, "abc"), "abc")
    assert is_unlike((1, "abd"), "abc")


def test_a_replay_that_a_limit_ended_proves_nothing() -> None:
    """It is neither like another one nor different from it."""
    whole, other, cut = Observation({OUT: 1}), Observation({OUT: 2}), Observation({OUT: 1}, cut=True)
    assert (whole.is_like(whole, OUT), whole.differs(other, OUT)) == (True, True)
    assert not any(one.is_like(cut, OUT) or one.differs(cut, OUT) for one in (whole, other))


def test_a_person_reads_the_causes_below_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a result that is the same this time, and another one in another replay."""
    lines = (
        Line("different", "run1", b"/w/a", "5, was 4", causes=("time", "random")),
        Line("same", "run1", b"/w/b", causes=("thread-order",)),
        Line("same", "run1", b"/w/c"),
    )
    show_report(Report(lines), show_all=False)
    said = "".join(capsys.readouterr())
    assert "different  /w/a: 5, was 4\n           because of: time, random\n" in said
    assert "same       /w/b, and not in another replay\n           because of: thread-order\n" in said
    assert "/w/c" not in said
