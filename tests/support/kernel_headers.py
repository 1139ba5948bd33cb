"""What the kernel's headers say of each interface, as fixtures/kernel-interfaces keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Headers:
    """What the kernel's headers say of one interface: its calls, and the values of constants."""

    calls: dict[str, int]
    values: dict[str, int]


def read_headers(interface: str) -> Headers:
    """Read the fixture of one interface."""
    lines = (FIXTURES / "kernel-interfaces" / f"{interface}.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    found = {kind: {name: int(value, 0) for row, name, value in rows if row == kind} for kind in ("call", "value")}
    return Headers(found["call"], found["value"])
