"""What noWorkflow calls the environment: sysconf, confstr, uname, variables and Python, all in one table of names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.values import text, words

if TYPE_CHECKING:
    from rtrace.record.document import MachineFact, Record
    from rtrace.record.foreign.source.databases import Row

_SETTING = re.compile(r"(SC|CS)_[A-Z0-9_]+")
_OWN = {
    "OS_NAME", "OS_RELEASE", "OS_VERSION", "PID", "HOSTNAME", "ARCH", "PROCESSOR",
    "PYTHON_IMPLEMENTATION", "PYTHON_VERSION", "NOWORKFLOW_VERSION",
}  # fmt: skip
_TWICE = _OWN | {"USER", "PWD"}
_DIGITS = re.compile(r"[0-9]{1,18}")


def read_attributes(rows: list[Row]) -> dict[str, str]:
    """Return the names and values; a name that is there twice has the later value, which is noWorkflow's own."""
    return {words(row.get("name")): words(row.get("value")) for row in rows}


def find_besides(rows: list[Row]) -> dict[str, str]:
    """Return the earlier values of names that are there twice with different ones: a variable called as a fact is."""
    attributes = read_attributes(rows)
    return {
        name: words(row.get("value"))
        for row in rows
        if (name := words(row.get("name"))) in _TWICE and words(row.get("value")) != attributes[name]
    }


def fill_environment(record: Record, attributes: dict[str, str]) -> None:
    """Put each value into its place."""
    machine = record["machine"]
    machine["settings"] = {name: value for name, value in attributes.items() if _SETTING.fullmatch(name)}
    record["environment"] = {
        name: value for name, value in attributes.items() if not _SETTING.fullmatch(name) and name not in _OWN
    }
    _fill_machine(machine, attributes)
    if attributes.get("USER"):
        record["user"]["name"] = attributes["USER"]


def _fill_machine(machine: MachineFact, attributes: dict[str, str]) -> None:
    machine["hostname"] = text(attributes.get("HOSTNAME"))
    machine["system"] = text(attributes.get("OS_NAME"))
    machine["release"] = text(attributes.get("OS_RELEASE"))
    machine["version"] = text(attributes.get("OS_VERSION"))
    machine["processor"] = text(attributes.get("PROCESSOR"))
    bits = attributes.get("ARCH", "").removesuffix("bit")
    machine["bits"] = int(bits) if _DIGITS.fullmatch(bits) else None
    machine["libc"] = text(attributes.get("CS_GNU_LIBC_VERSION"))
    machine["locale"] = text(attributes.get("LC_ALL")) or text(attributes.get("LANG"))
    machine["time_zone"] = text(attributes.get("TZ"))
    machine["cores"] = _read_number(attributes, "SC_NPROCESSORS_ONLN")
    pages, size = _read_number(attributes, "SC_PHYS_PAGES"), _read_number(attributes, "SC_PAGESIZE")
    machine["memory"] = None if pages is None or size is None else pages * size


def _read_number(attributes: dict[str, str], name: str) -> int | None:
    value = attributes.get(name, "")
    return int(value) if _DIGITS.fullmatch(value) else None
