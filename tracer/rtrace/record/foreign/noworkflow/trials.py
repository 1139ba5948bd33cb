"""The tables of noWorkflow's database, taken apart by trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.values import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.foreign.source.databases import Row, Tables

MOST_ROWS = 200_000
"""Rows of a trial that its record takes along: what is more stays in the database, and a notice says so."""
_BY_TRIAL = {"extendedAnnotation": "relatedTrial"}
_NAMED = ("environment_attr", "module", "file_access", "tag", "argument", "code_block", "code_component")
"""Tables that a record has in fields of its own, too."""
_OF_ALL = ("user", "group", "memberOfGroup", "remote")


@dataclass
class Trial:
    """A trial: its row, the rows of other tables that are its own, and those tables that are too long."""

    database: str
    row: Row
    rows: dict[str, list[Row]] = field(default_factory=dict)
    experiment: Row = field(default_factory=dict)
    user: Row = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def read_trials(tables: Tables, database: str) -> Iterator[Trial]:
    """Yield the trials of a database, oldest first, with what every table says of them."""
    names = tables.names()
    owners = _find_owners(tables, names)
    plain = Plain()
    experiments = {row.get("id"): row for row in tables.read("experiment")} if "experiment" in names else {}
    users = {row.get("id"): row for row in tables.read("user")} if "user" in names else {}
    for row in sorted(tables.read("trial"), key=lambda row: (str(row.get("start")), str(row.get("id")))):
        trial = Trial(database, row)
        trial.experiment = mapping(plain.convert(experiments.get(row.get("experiment_id"))))
        trial.user = mapping(plain.convert(users.get(row.get("user_id"))))
        left = MOST_ROWS
        for table in sorted(owners, key=lambda name: (name not in _NAMED, name)):
            count = tables.count(table, owners[table], row.get("id"))
            if count > left:
                trial.left_out[table] = count
                continue
            left -= count
            found = [plain.convert(item) for item in tables.read(table, owners[table], row.get("id"))]
            trial.rows[table] = [item for item in found if isinstance(item, dict)]
        yield trial


def _find_owners(tables: Tables, names: set[str]) -> dict[str, str]:
    """Return, for each table that holds rows of trials, the column that names the trial."""
    owners = {}
    for name in names - {"trial", "sqlite_sequence"}:
        column = _BY_TRIAL.get(name, "trial_id")
        if column in tables.columns(name):
            owners[name] = column
    return owners
