"""What each of the kinds here does: it hands contents to a library, and says so where that is not there or refuses."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

from rtrace.verify.kinds.model import CannotCompareError, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading(kind: str, library: str) -> Iterator[None]:
    """Read contents of a kind by a library. Raises CannotCompareError where there is none, and where it fails."""
    try:
        with catch_warnings():
            simplefilter("ignore")
            yield
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != library:
            raise
        hint = "pip install 'rtrace-repro[compare-science]'"
        raise CannotCompareError(f"{kind} is compared by {library}: {hint}") from None
    except CannotCompareError:
        raise
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 -- malformed contents break libraries in all ways
        what = f"{type(error).__name__}: {shorten_text(str(error))}"
        raise CannotCompareError(f"it cannot be read as {kind} ({what})") from None
