"""What is shown of names and texts is one line that no terminal obeys."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtrace
import rtrace_unpackers
from rtrace.printable import count_more, printable, printable_text, shell_word

TEXTS = st.text() | st.text("ab\\\n\x1b\u202e\u200d\ufe0f\U0001f600\udcff")


@given(TEXTS)
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    """Showing twice is showing once, and what is shown is on one line."""
    shown = printable_text(text)
    assert printable_text(shown) == shown
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown


@given(st.binary())
def test_bytes_are_shown_as_the_text_that_they_are(path: bytes) -> None:
    """A path is shown as the text that Python takes it for, and bytes that are none as escapes."""
    assert printable(path) == printable_text(path.decode("utf-8", "surrogateescape"))
    assert printable(path).isprintable()


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_is_shown_unchanged(text: str) -> None:
    """Nothing is escaped that anybody can read."""
    assert printable_text(text) == text


@given(TEXTS)
def test_a_shell_reads_a_word_as_it_was(text: str) -> None:
    """A word that is told is one word to a shell; what no terminal shows is escaped, and nothing else."""
    word = shell_word(text)
    assert word.isprintable()
    if printable_text(text) == text:
        assert shlex.split(word) == [text]
    else:
        assert (word[:2], word[-1]) == ("$'", "'")


def test_what_cannot_be_shown_is_escaped_for_bash() -> None:
    """Bytes, line ends, quotes and backslashes are as ``$'...'`` has them."""
    assert shell_word(b"a\nb\xff'\\n") == r"$'a\nb\xff\'\\n'"
    assert shell_word(Path("my work/x")) == "'my work/x'"
    assert shell_word("plain/x-1.rpz") == "plain/x-1.rpz"


PLAIN = {  # names that rtrace itself gives: of unpackers, streams and runs
    *("NAME", "name", "chosen.name", "next(iter(points))", "blamed.sha256", "shown", "report.pack_options"),
    *("word", "where", "pattern"),  # by shell_word, in the line above
}


def list_told_commands() -> Iterator[tuple[str, str]]:
    """Yield what is put into commands of rtrace within backticks, with where it is."""
    for package in (rtrace, rtrace_unpackers):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            source = file.read_text()
            for node in ast.walk(ast.parse(source)) if "`rtrace " in source else ():
                text = ""
                for part in node.values if isinstance(node, ast.JoinedStr) else ():
                    if isinstance(part, ast.FormattedValue):
                        if text.count("`") % 2 and text.rpartition("`")[2].startswith("rtrace "):
                            yield ast.unparse(part.value), f"{file}:{part.lineno}"
                        text += "x"
                    elif isinstance(part, ast.Constant):
                        text += str(part.value)


def test_commands_that_are_told_can_be_pasted() -> None:
    """A path in a command that a sentence names is quoted: folders have blanks in their names."""
    told = list(list_told_commands())
    assert [one for one in told if "shell_word(" not in one[0] and one[0] not in PLAIN] == []
    assert any("shell_word(" in one for one, _ in told)


@pytest.mark.parametrize(
    "number, noun, words",
    [
        (0, "file", ""),
        (-3, "file", ""),
        (1, "file", " and 1 more file"),
        (2, "file", " and 2 more files"),
        (2, "", " and 2 more"),
    ],
)
def test_further_things_are_counted(number: int, noun: str, words: str) -> None:
    """There is a word for one and for many, and nothing where all are named."""
    assert count_more(number, noun) == words
