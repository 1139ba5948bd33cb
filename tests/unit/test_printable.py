"""What is shown of names and texts is one line that no terminal obeys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.printable import count_more, printable, printable_text

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
