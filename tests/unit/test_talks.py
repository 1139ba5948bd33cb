"""Whom a run talks to: servers that are no part of it are told, its own and those that do not answer are not."""

from __future__ import annotations

import pytest

from rtrace.capture.network.questions import read_question


@pytest.mark.parametrize(
    "message,name",
    [
        (bytes(5) + b"\1" + bytes(6) + b"\3www\7example\0\0\1\0\1", "www.example"),
        (bytes(5) + b"\1" + bytes(6) + b"\3www\7example\0\0\x1c\0\1", "www.example"),
        (bytes(5) + b"\1" + bytes(6) + b"\3www\7example\0\0\x0f\0\1", None),
        (bytes(2) + b"\x80" + bytes(9) + b"\3www\7example\0\0\1\0\1", None),
        (bytes(5) + b"\1" + bytes(6) + b"\xc0\x0c\0\1\0\1", None),
        (bytes(12) + b"\x3fwww", None),
        (bytes(12) + b"\0\0\1\0\1", None),
        (b"", None),
    ],
)
def test_question_to_a_name_server(message: bytes, name: str | None) -> None:
    """The host whose address is asked for is read from a query; whatever else is sent there is no question."""
    assert read_question(message) == name
