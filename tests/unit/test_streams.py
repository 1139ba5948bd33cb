"""Standard streams: kept without the program noticing, whether they are terminals, pipes or files."""

from __future__ import annotations

from rtrace.capture.relay.keeping import ReturnRemover


def test_removing_returns_is_the_inverse_of_adding_them() -> None:
    """What a program wrote comes back from what its terminal made of it, wherever the pieces are cut."""
    written = b"one\n\ntwo\r\nthree\r\r\nfour\r"
    shown = written.replace(b"\n", b"\r\n")
    for cut in range(len(shown) + 1):
        remover = ReturnRemover()
        assert remover.remove(shown[:cut]) + remover.remove(shown[cut:]) + remover.flush() == written
