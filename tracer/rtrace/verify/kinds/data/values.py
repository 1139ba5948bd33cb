"""Values and arrays of NumPy, as libraries give them, compared one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtrace.verify.kinds.model import CannotCompareError, Findings, shorten_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_TOLD = 1000
"""Numbers that are compared one by one, for the first place and the largest difference."""


def compare_values(place: str, old: Any, new: Any, findings: Findings, offset: int = 0) -> None:  # noqa: ANN401
    """Compare two values or arrays of NumPy; ``offset`` is the first index of the first one of a part."""
    import numpy as np

    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        findings.differ(f"{place}, shape", _show_shape(one), _show_shape(other))
    elif one.dtype.names is not None or other.dtype.names is not None:
        if one.dtype.names != other.dtype.names:
            findings.differ(f"{place}, fields", one.dtype.names, other.dtype.names)
            return
        for name in one.dtype.names or ():
            compare_values(f"{place}/{name}", one[name], other[name], findings, offset)
    elif one.dtype.kind == "O" or other.dtype.kind == "O":
        for at in np.ndindex(one.shape):
            where = f"{place}{_show_index(at, offset)}"
            compare_objects(where, one[at], other[at], findings)
    elif one.dtype.kind != other.dtype.kind:
        findings.differ(place, shorten_text(str(old)), shorten_text(str(new)))
    else:
        _compare_arrays(place, one, other, findings, offset)


def compare_objects(place: str, old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401
    """Compare two values of Python: numbers, texts, and sequences and mappings of them."""
    import numpy as np

    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        if type(old) is not type(new):
            findings.differ(place, shorten_text(str(old)), shorten_text(str(new)))
        else:
            compare_values(place, old, new, findings)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            where = f"{place}/{shorten_text(str(key), 60)}"
            if findings.leaves_out(where):
                continue
            if key not in old or key not in new:
                shown = (shorten_text(str(one[key])) if key in one else "not there" for one in (old, new))
                findings.differ(where, *shown)
            else:
                compare_objects(where, old[key], new[key], findings)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        for number, (one, other) in enumerate(zip(old, new, strict=False)):
            compare_objects(f"{place}[{number}]", one, other, findings)
        if len(old) != len(new):
            findings.differ(place, f"{len(old)} items", f"{len(new)} items")
    elif isinstance(old, (float, np.floating)) and isinstance(new, (float, np.floating)):
        findings.number(place, float(old), float(new))
    elif type(old) is not type(new) or not _is_same(old, new):
        findings.differ(place, shorten_text(str(old)), shorten_text(str(new)))


def _is_same(old: Any, new: Any) -> bool:  # noqa: ANN401
    """Whether two scalars are the same: what is equal to nothing, as a time that is none, is so by its words."""
    try:
        if bool(old == new):
            return True
        return bool(old != old) and bool(new != new)  # noqa: PLR0124 -- so NaN and NaT tell themselves
    except (TypeError, ValueError):
        raise CannotCompareError(f"it has a value of a type that is not compared ({type(old).__name__})") from None


def _compare_arrays(place: str, one: Any, other: Any, findings: Findings, offset: int) -> None:  # noqa: ANN401
    import numpy as np

    kind = one.dtype.kind
    differs = one != other
    if kind in "fcmM":
        differs &= ~((one != one) & (other != other))  # noqa: PLR0124 -- NaN and NaT
    rows = np.argwhere(differs)
    is_number = kind in "fc" or (kind in "iu" and not findings.rule.is_exact)
    for row in rows[:_MOST_TOLD]:
        index = tuple(int(at) for at in row)
        where = f"{place}{_show_index(index, offset)}"
        first, second = one[index], other[index]
        if kind == "c":
            findings.number(f"{where}, real part", float(first.real), float(second.real))
            findings.number(f"{where}, imaginary part", float(first.imag), float(second.imag))
        elif is_number:
            findings.number(where, float(first), float(second))
        else:
            findings.differ(where, shorten_text(str(first)), shorten_text(str(second)))
    if not is_number or len(rows) <= _MOST_TOLD or findings.likeness == "different":
        return
    parts = ((one, other),) if kind != "c" else ((one.real, other.real), (one.imag, other.imag))
    for old, new in parts:
        first, second = (part.astype("f8") for part in (old[differs], new[differs]))
        with np.errstate(invalid="ignore", over="ignore"):
            distance = abs(first - second)
            allowed = np.maximum(findings.rule.absolute, findings.rule.tolerance * np.maximum(abs(first), abs(second)))
        close = (distance <= allowed) & np.isfinite(distance) | (first == second)
        beyond = np.flatnonzero(~close & ~(np.isnan(first) & np.isnan(second)))
        for at in beyond[:1]:
            where = f"{place}{_show_index(tuple(int(one) for one in rows[at]), offset)}"
            findings.number(where, float(first[at]), float(second[at]))


def _show_index(index: Sequence[int], offset: int) -> str:
    if not index:
        return ""
    return f"[{', '.join(str(at + (offset if not axis else 0)) for axis, at in enumerate(index))}]"


def _show_shape(values: Any) -> str:  # noqa: ANN401
    return " x ".join(map(str, values.shape)) or "a single value"
