"""How long each phase of packing takes, for whoever looks into it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtrace.debugging import debug

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def phase(module: str, name: str) -> Iterator[None]:
    """Log how long a block of a module took, when it ends without an error."""
    began = time.monotonic()
    yield
    debug(module, "%s: %.3f s", name, time.monotonic() - began)
