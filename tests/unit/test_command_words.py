"""Small things that the command line says and reads: words, statuses, where `trace` is among the arguments."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.cli import is_tracing
from rtrace.cli.frame.command import ALWAYS, sort_statuses
from rtrace.cli.frame.commands import COMMANDS, explain_unknown
from rtrace.cli.frame.ending import _tell_failure
from rtrace.cli.options.completing import unquote
from rtrace.cli.terminal.table import Column, fit, measure
from rtrace.printable import plural, suggest
from rtrace.replay.protocol import Outcome, gather_notes


def test_trace_is_found_behind_the_shared_options() -> None:
    """Signals are deferred for `trace` alone, wherever the shared options stand."""
    tracing = (["trace"], ["--debug", "trace", "x"], ["--color", "always", "-q", "trace"], ["--color=never", "trace"])
    others: tuple[list[str], ...] = ([], ["--color", "trace"], ["pack", "trace"], ["-q"], ["help", "trace"])
    assert [is_tracing(words) for words in tracing] == [True] * len(tracing)
    assert [is_tracing(words) for words in others] == [False] * len(others)


def test_statuses_are_in_order() -> None:
    """Numbers come in their order, signals after them, and what is no number last."""
    told = {"other": "", **ALWAYS, "1": "", "0": "", "124": ""}
    assert list(sort_statuses(told)) == ["0", "1", "2", "124", "125", "128+N", "other"]


def test_a_file_of_bytes_is_told_as_others_are(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system that nobody expected names its file as a person writes it."""
    for name in ("/a b", b"/a b"):
        _tell_failure(OSError(13, "Permission denied", name))
        assert capsys.readouterr().err == "rtrace: /a b: Permission denied; free some space or check the permissions\n"


def test_what_is_noted_of_several_runs_is_told_once() -> None:
    """What a machine lacks is one line; what happened to one run names it alone."""
    first = Outcome("a", 0, None, notes=("no groups here",))
    second = Outcome("b", 0, None, notes=("no groups here", "full"))
    assert gather_notes([first, second, Outcome("c", 0, None)]) == ["a, b: no groups here", "b: full"]


def test_suggestions() -> None:
    """A word that is near is named; two at most, and none for a word that is not near to any."""
    assert suggest("trce", COMMANDS) == "; did you mean trace?"
    assert suggest("unpak", ("unpack", "unpacks", "unpacked")).count(" or ") == 1
    assert suggest("xyzzy", COMMANDS) == ""
    assert explain_unknown("xyzzy").endswith("`rtrace help` lists all")


def test_a_table_fits_into_the_terminal_as_far_as_it_can() -> None:
    """The widest of the columns that may be cut gives way first, none below its least width; others stay whole."""
    columns = (Column("RUN"), Column("REASON", least=5), Column("COMMAND", least=10))
    assert fit(columns, (8, 20, 30), 100) == [8, 20, 30]
    assert fit(columns, (8, 20, 30), 50) == [8, 19, 19]
    assert fit(columns, (8, 7, 30), 10) == [8, 5, 10]
    assert fit(columns, (8, 3, 7), 10) == [8, 3, 7]
    narrow = (Column("RUN"), Column("STARTED", narrower=(19, 11)), Column("COMMAND", least=10, narrower=(6,)))
    assert fit(narrow, (8, 19, 30), 41) == [8, 19, 10]
    assert fit(narrow, (8, 19, 30), 39) == [8, 19, 8]
    assert fit(narrow, (8, 19, 30), 34) == [8, 16, 6]
    assert fit(narrow, (8, 19, 30), 10) == [8, 11, 6]


def test_a_word_is_as_wide_as_a_terminal_shows_it() -> None:
    """Letters of East Asia take two places, accents of their own none."""
    assert [measure(word) for word in ("rate", "größe", "e\u0301", "模型", "Å")] == [4, 5, 1, 4, 1]


def test_plural() -> None:
    """One is one, and nothing is many."""
    assert [plural(number, "file") for number in (0, 1, 2)] == ["files", "file", "files"]
    assert plural(2, "process", "processes") == "processes"


@given(st.text(st.characters(codec="utf-8")))
def test_what_a_shell_would_quote_is_read_back(text: str) -> None:
    """Reading a quoted word gives the word, whatever is in it."""
    assert unquote(shlex.quote(text)) == text
