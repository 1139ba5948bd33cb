"""Signals that ask rtrace to end (SIGHUP, SIGINT, SIGTERM): they become an exception, by which all is cleaned up.

    signal ──> in a shield?  yes ──> kept until the shield ends ──┐
                             no ──────────────────────────────────┴──> Interrupted, once; later signals are ignored

A shield is for what must not be cut in two: making something and knowing that it has to be removed, and removing it.
While a traced or replayed program runs, signals are handed on to it by handlers of their own, which may `note` them.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import NoReturn, TypeVar

    T = TypeVar("T")

ENDING = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name))
"""The signals that ask to end. One that was ignored when rtrace was started, as by nohup(1), stays ignored."""
_DYING_OF = frozenset({*ENDING, getattr(signal, "SIGQUIT", signal.SIGINT)})


_REMOVED = "what was half done is removed"


class Interrupted(BaseException):
    """A signal asked rtrace to end. No ``Exception``, so that nobody takes it for a failure of what was going on."""

    def __init__(self, number: int) -> None:
        """Remember which signal it was."""
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """The status that a shell shows of a program that the signal ended."""
        return 128 + self.number


class _State:
    """How it stands with the signals of this process."""

    process = 0
    """The process whose handlers these are: a forked one has other work to clean up, or none."""
    shields = 0
    kept: int | None = None
    noted: int | None = None
    at_once = False
    raised: int | None = None
    again: int | None = None
    """A signal that comes once more, see `raise_again`."""
    mask: frozenset[int] | None = None
    rest = _REMOVED
    """What a person is told of what had begun, once a signal has ended it."""


_state = _State()


def begin() -> None:
    """Turn the signals of this process into exceptions, from now on."""
    _state.process = os.getpid()
    _state.shields, _state.kept, _state.noted, _state.raised = 0, None, None, None
    _state.at_once, _state.again, _state.rest = False, None, _REMOVED
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def defer() -> None:
    """Let all signals wait that mean nothing to rtrace itself, until there is a program to pass them on to.

    They would end rtrace otherwise. What a process does to its own terminal (SIGTTIN, SIGTTOU) stops it as ever.
    """
    own = {*ENDING, signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU}
    _state.mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - own))


def mask_at_start() -> frozenset[int]:
    """Return the signals that were blocked when rtrace was started."""
    if _state.mask is None:
        return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    return _state.mask


def end() -> None:
    """Let signals do what they do to any program: nothing is left to be cleaned up.

    Raises Interrupted for one that was to come again.
    """
    if _state.again is not None:  # nobody is there any more when its timer is up
        signal.setitimer(signal.ITIMER_REAL, 0)
        _raise(_state.again)
    for number in ENDING:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_DFL)


def _handle(number: int, _frame: FrameType | None) -> None:
    if os.getpid() != _state.process:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif _state.raised is not None:
        pass
    elif _state.shields:
        _state.kept = _state.kept or number
    else:
        _raise(number)


def _raise(number: int) -> NoReturn:
    """Raise Interrupted. Programs that clean up for us, such as `docker rm`, inherit that signals are blocked."""
    _state.raised, _state.again = number, None
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    raise Interrupted(number)


def raise_again() -> None:
    """Raise Interrupted once more, in a moment: it came where nobody can catch it, such as in a destructor."""
    number, _state.raised = _state.raised, None
    if number is not None and hasattr(signal, "setitimer"):
        _state.again = number
        signal.signal(signal.SIGALRM, lambda _number, frame: _handle(number, frame))
        signal.setitimer(signal.ITIMER_REAL, 0.01)


def keep_rest(words: str) -> None:
    """Have people told something else of what had begun than that it is removed."""
    _state.rest = words


def rest() -> str:
    """Return what is told of what had begun, the end of a sentence."""
    return _state.rest


def raised() -> int | None:
    """Return the signal that Interrupted was raised for, even where somebody took it for another error."""
    return _state.raised


@contextmanager
def shielded() -> Iterator[None]:
    """Keep signals from interrupting the block; one that came meanwhile interrupts at its end."""
    if not _is_ours():
        yield
        return
    _state.shields += 1
    try:
        yield
    finally:
        _state.shields -= 1
        _raise_kept()


@contextmanager
def lifted() -> Iterator[None]:
    """Within a shield, let signals interrupt the block again."""
    if not _is_ours():
        yield
        return
    _state.shields -= 1
    try:
        _raise_kept()
        yield
    finally:
        _state.shields += 1


@contextmanager
def held(make: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """Make, enter and leave a context under a shield; its block can be interrupted.

    So what a context makes is always removed by it, and never by half.
    """
    with shielded(), make() as made, lifted():
        yield made


def note(number: int) -> None:
    """Remember a signal that is handed on to a program; where the program's answer proves nothing then, end at once."""
    if number not in _DYING_OF:
        return
    if _state.noted is None:
        _state.noted = number
    if _state.at_once and _state.raised is None:
        if _state.shields:
            _state.kept = _state.kept or number
        else:
            _raise(number)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let signals that are handed on to a program end rtrace as well: of a run cut short nothing can be compared."""
    before, _state.at_once = _state.at_once, True
    try:
        yield
    finally:
        _state.at_once = before


def asked_to_end() -> bool:
    """Whether a signal was handed on that asks rtrace itself to end, too: SIGINT is the program's to make sense of."""
    return _state.noted is not None and _state.noted != signal.SIGINT


def _raise_kept() -> None:
    if not _state.shields and _state.kept is not None and _state.raised is None:
        _raise(_state.kept)


def _is_ours() -> bool:
    """Whether this is the thread in which signals are handled, of the process that turned them into exceptions."""
    from threading import current_thread, main_thread

    return _state.process == os.getpid() and current_thread() is main_thread()
