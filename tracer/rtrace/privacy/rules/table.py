"""What secrets look like: one table, a chapter of it in each module beside this one.

Patterns run over hostile bytes, so each begins with something rare or is anchored, and every repetition that something
else follows has a bound. A NUL ends an argument: classes that stand for a value leave it out.

A pattern is tried near the needles of its rule only. So most text costs one search for all needles at once. Where two
rules find the same, the first that is not loose tells of it, or else the first.
"""

from __future__ import annotations

from dataclasses import replace

from rtrace.privacy.rules.addresses import ADDRESSES, WEB
from rtrace.privacy.rules.assignments import ASSIGNMENTS
from rtrace.privacy.rules.given import COMMANDS, VARIABLES
from rtrace.privacy.rules.keys import CLOUDS, HOSTING, PRIVATE_KEYS
from rtrace.privacy.rules.rule import RECORD, Later
from rtrace.privacy.rules.services import MODELS, SERVICES
from rtrace.privacy.rules.stores import FIELD, STORES

_WRITTEN = (
    *PRIVATE_KEYS,
    *CLOUDS,
    *HOSTING,
    *MODELS,
    *SERVICES,
    *STORES,
    *WEB,
    *ADDRESSES,
    *VARIABLES,
    *COMMANDS,
    *ASSIGNMENTS,
)
IN_RECORDS = (
    *(replace(rule, where=RECORD, pattern=Later(rule.shape)) for rule in _WRITTEN if rule.shape),
    FIELD,
)
"""For databases and pickles, in which there may be nothing between a value and the one before."""
RULES = (*_WRITTEN, *IN_RECORDS)
