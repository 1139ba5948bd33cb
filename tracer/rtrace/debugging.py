"""What was probed, decided and how long it took, for whoever looks into a failure: standard logging, if asked for.

Until somebody asks, nothing of it is loaded: `debug` looks at one attribute and returns. Each module has a logger of
its own name. Not to be called in a child between fork and exec: the loggers' locks may be held there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    Write: TypeAlias = Callable[[str], None]
    """Where a message goes, a line each."""

PACKAGES = ("rtrace", "rtrace_unpackers")
"""The loggers above all others."""


class _State:
    on = False
    began = 0.0


_state = _State()


def debug(name: str, text: str, *arguments: object) -> None:
    """Tell something of a module (``__name__``), in the way of `logging.Logger.debug`, once it is switched on."""
    if _state.on:
        import logging

        logging.getLogger(name).debug(text, *arguments)


def is_debugging() -> bool:
    """Whether anybody listens: for what would cost time to find out."""
    return _state.on


def switch_on(write: Write, topics: Iterable[str] = ()) -> None:
    """Hand each message on to ``write``, with the seconds since now and its module.

    With ``topics``, only messages about these: modules or folders of modules, with or without `rtrace.` before their
    names (`capture`, `rtrace.capture.loop`).
    """
    import logging

    wanted = tuple(topics)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not wanted or any(is_about(record.name, topic) for topic in wanted):
                write(f"{time.monotonic() - _state.began:8.3f} {record.name}: {_format(record)}")

    for package in PACKAGES:
        logger = logging.getLogger(package)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
        logger.addHandler(Handler())
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    if not _state.on:
        _state.began = time.monotonic()
    _state.on = True


def switch_off() -> None:
    """Let nobody listen any more."""
    if _state.on:
        import logging

        for package in PACKAGES:
            logger = logging.getLogger(package)
            for handler in logger.handlers[:]:
                logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
    _state.on = False


def is_about(name: str, topic: str) -> bool:
    """Whether a module is the topic, or lies in it."""
    names = (topic, *(f"{package}.{topic}" for package in PACKAGES))
    return any(f"{name}.".startswith(f"{one}.") for one in names)


def _format(record: logging.LogRecord) -> str:
    """Return the message of a record; one whose arguments do not fit its text is told as it is."""
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args}"
