"""The end of a run does not wait for what somebody wrote to make it wait; what was not searched is not kept."""

import re
import signal
import threading
from pathlib import Path

import pytest

from rtrace.record.empty import empty_record
from rtrace.record.facts.parameter_files import LARGEST_FILE
from rtrace.record.taking.secrets.patience import Patience, TooLongError
from rtrace.record.taking.secrets.redacting import RecordRedactor


def test_work_that_would_never_end_is_stopped() -> None:
    """Also in the midst of one regular expression, and with all signals blocked, as a tracer has them."""
    patience = Patience(0.05)
    handler = signal.getsignal(signal.SIGVTALRM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGVTALRM})
    try:
        with pytest.raises(TooLongError), patience.limiting():
            re.match(r"(a+)+b", "a" * 60)
        assert signal.SIGVTALRM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert signal.getsignal(signal.SIGVTALRM) == handler
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    with pytest.raises(TooLongError), patience.limiting():
        pytest.fail("there was no time left")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_finalizer_that_swallows_the_signal_does_not_lose_it() -> None:
    """Python prints what is raised in one, and goes on: the signal comes again."""

    class Slow:
        def __del__(self) -> None:
            re.match(r"(a+)+b", "a" * 60)

    def work() -> None:
        with Patience(0.05).limiting():
            Slow()
            re.match(r"(a+)+b", "a" * 60)

    with pytest.raises(TooLongError):
        work()
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_another_thread_gets_no_signal() -> None:
    """Python handles them in the main thread alone; the work is done."""
    done: list[bool] = []

    def work() -> None:
        with Patience(10).limiting():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_what_was_not_searched_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, words, values and addresses: a word in the place of each, and a notice of where."""
    monkeypatch.setattr("rtrace.record.taking.secrets.redacting.LONGEST", 0)
    redactor = RecordRedactor(tmp_path / "harmless")
    text = b"password: tk9Xq2LmZ0pW7vT4"
    assert redactor.content("the text of a", b"/a", text) == b"redacted"
    assert redactor.arguments(b"/bin/a", [b"a", text]) == (b"redacted", b"redacted")
    assert redactor.environment(((b"A", text), (b"B", None))) == ((b"A", b"redacted"), (b"B", None))
    assert redactor.address("an address", text.decode()) == "redacted"
    assert redactor.value("a parameter", "password", "x") == "redacted"
    redactor.names("a name", ["ghp_x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ"])
    record = redactor.finish(empty_record())
    assert len(record["notices"]) == 5
    assert {one["kind"] for one in record["notices"]} == {"record"}
    again = RecordRedactor(tmp_path / "harmless")
    assert not again._remembered.knows("content", b"/a\0" + text)


@pytest.mark.parametrize("text", [b"password=" * 7000, b"=" * LARGEST_FILE, b"key: &a [*a]\n" * 50_000])
def test_a_text_made_to_be_searched_for_long_is_given_up(text: bytes, tmp_path: Path) -> None:
    """Some took a minute."""
    redactor = RecordRedactor(tmp_path / "harmless")
    redactor.content("a text", b"/p.yaml", text)
    redactor.arguments(b"/bin/a", [b"a", *[text[:60_000]] * 10])
    redactor.finish(empty_record())
