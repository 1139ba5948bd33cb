"""The tracer's threads, which count against the limits of the run, so that starting one may fail."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtrace.capture.processes.own_limits import explain_limits
from rtrace.errors import TracingRefusedError

STACK = 1 << 20  # bytes; the usual eight times as much is a lot under a limit of memory


def start_thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    """Start a thread of the tracer, with a small stack. Raises TracingRefusedError if the system allows no more."""
    threading.stack_size(STACK)
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        advice = "raise the limit, or end other processes"
        raise TracingRefusedError(f"cannot start a thread ({error}{explain_limits()}); {advice}") from None
    return thread
