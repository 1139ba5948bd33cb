"""What secrets look like: the table in ``rules.conf``, and what assignments in programs and settings need besides.

A pattern is tried near the needles of its rule only. So most text costs one search for all needles at once. Where two
rules find the same, the first that is not loose tells of it, or else the first.
"""

from __future__ import annotations

import os
from dataclasses import replace

from rtrace.privacy.rules.assignments import ASSIGNMENTS
from rtrace.privacy.rules.reading import read_rules
from rtrace.privacy.rules.rule import RECORD, Later, Rule


def _read_table() -> tuple[Rule, ...]:
    """Return the rules of the file beside this one."""
    with open(os.path.join(os.path.dirname(__file__), "rules.conf"), encoding="ascii") as file:
        return read_rules(file.read())


_TABLE = _read_table()
_WRITTEN = (*(rule for rule in _TABLE if rule.where is not RECORD), *ASSIGNMENTS)
IN_RECORDS = (
    *(replace(rule, where=RECORD, pattern=Later(rule.shape)) for rule in _WRITTEN if rule.shape),
    *(rule for rule in _TABLE if rule.where is RECORD),
)
"""For databases and pickles, in which there may be nothing between a value and the one before."""
RULES = (*_WRITTEN, *IN_RECORDS)
