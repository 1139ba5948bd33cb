"""FITS, the files of astronomy, read by Astropy."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from rtrace.verify.kinds.data.values import compare_values
from rtrace.verify.kinds.model import Findings, Judgement, Rule, shorten_text
from rtrace.verify.plugins.reading import reading

_MAGIC = b"SIMPLE  =                    T"
_MADE_ANEW = ("DATE", "CHECKSUM", "DATASUM")


class Fits:
    """Compares each unit's keywords and values; the date of writing and check sums do not count."""

    name = "FITS"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as FITS does."""
        return head.startswith(_MAGIC)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the units. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with reading(self.name, "astropy"):
            from astropy.io import fits

            copies = (io.BytesIO(file.read()) for file in (expected, found))  # Astropy closes what it is given
            with fits.open(next(copies), memmap=False) as old, fits.open(next(copies), memmap=False) as new:
                for number, (one, other) in enumerate(zip(old, new, strict=False)):
                    _compare_units(f"unit {number}", one, other, findings)
                if len(old) != len(new):
                    findings.differ("units", len(old), len(new))
        if findings.likeness == "equal" and not findings.ignored:
            findings.ignore("layout of the file")
        return findings.conclude()


def _compare_units(place: str, old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401 -- of Astropy
    headers = [_list_keywords(unit.header) for unit in (old, new)]
    for key in dict.fromkeys((*headers[0], *headers[1])):
        values = [header.get(key, ("not there",)) for header in headers]
        if values[0] == values[1] or findings.leaves_out(key):
            continue
        if key in _MADE_ANEW:
            findings.ignore("date of writing, or check sums")
        elif len(values[0]) == len(values[1]) == 1 and all(isinstance(value[0], float) for value in values):
            findings.number(f"{place}, {key}", *(float(value[0]) for value in values))
        else:
            findings.differ(f"{place}, {key}", *(shorten_text("; ".join(map(str, value))) for value in values))
    if findings.likeness == "different" and findings.first is not None and "NAXIS" in findings.first[0]:
        return
    if (old.data is None) != (new.data is None):
        findings.differ(f"{place}, data", *("not there" if unit.data is None else "there" for unit in (old, new)))
    elif old.data is not None:
        _compare_data(place, old, new, findings)


def _compare_data(place: str, old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401 -- of Astropy
    names = getattr(old.data.dtype, "names", None)
    if names is None or names != new.data.dtype.names:
        compare_values(f"{place}, data", old.data, new.data, findings)
        return
    for name in names:
        if not findings.leaves_out(name):
            compare_values(f"{place}, column {name}, row ", old.data[name], new.data[name], findings)


def _list_keywords(header: Any) -> dict[str, tuple[Any, ...]]:  # noqa: ANN401 -- of Astropy
    """Return the values of each keyword: HISTORY and COMMENT have several."""
    found: dict[str, tuple[Any, ...]] = {}
    for card in header.cards:
        found[card.keyword] = (*found.get(card.keyword, ()), card.value)
    return found


FITS = Fits()
