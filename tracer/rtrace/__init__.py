"""Trace a command once, and give anybody one file from which to replay and verify it.

For programs in Python: `capture`, `trace`, `runs`, `open_bundle`. Importing rtrace loads none of it before it is used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rtrace.errors import CaptureError, RtraceError
    from rtrace.inside.capturing import Captured, capture
    from rtrace.inside.looking import open_bundle, runs
    from rtrace.inside.run import Run
    from rtrace.inside.tracing import trace

__all__ = ["CaptureError", "Captured", "RtraceError", "Run", "__version__", "capture", "open_bundle", "runs", "trace"]

_PLACES = {
    "CaptureError": "rtrace.errors",
    "Captured": "rtrace.inside.capturing",
    "RtraceError": "rtrace.errors",
    "Run": "rtrace.inside.run",
    "open_bundle": "rtrace.inside.looking",
    "runs": "rtrace.inside.looking",
}
_FOLDERS = ("capture", "trace")
"""Functions that are folders of rtrace as well, see `rtrace.calling`."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    from importlib import import_module

    if name in _FOLDERS:
        return import_module(f"rtrace.{name}")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'rtrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
