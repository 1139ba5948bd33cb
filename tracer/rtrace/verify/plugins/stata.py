"""Stata's tables (.dta), read by pandas."""

from __future__ import annotations

from typing import Any, BinaryIO

from rtrace.verify.kinds.data.values import compare_objects, compare_values
from rtrace.verify.kinds.model import Findings, Judgement, Rule, list_some, shorten_text
from rtrace.verify.plugins.reading import reading

_NEW, _OLD = b"<stata_dta>", {(version, order) for version in range(105, 116) for order in (1, 2)}


class Stata:
    """Compares columns, labels and cells; when it was written, and by which version, does not count."""

    name = "Stata table"

    def recognise(self, head: bytes, name: bytes) -> bool:
        """Whether a content begins as a table of Stata does."""
        is_old = name.endswith(b".dta") and tuple(head[:2]) in _OLD and head[2:4] == b"\x01\0"
        return head.startswith(_NEW) or is_old

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the tables. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with reading(self.name, "pandas"):
            from pandas.io.stata import StataReader

            manner = {"convert_categoricals": False, "convert_dates": False, "convert_missing": True}
            with StataReader(expected, **manner) as old, StataReader(found, **manner) as new:
                _compare(old, new, findings)
        if findings.likeness in {"equal", "close"}:
            findings.ignore("time at which it was written, or version of the format")
        return findings.conclude()


def _compare(old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401 -- of pandas
    tables = [reader.read() for reader in (old, new)]
    columns = [list(table.columns) for table in tables]
    if columns[0] != columns[1]:
        shown = (list_some(name for name in one if name not in other) for one, other in (columns, columns[::-1]))
        findings.differ("columns", *(text or "in another order" for text in shown))
        return
    if len(tables[0]) != len(tables[1]):
        findings.differ("rows", *map(len, tables))
        return
    compare_objects("label", old.data_label, new.data_label, findings)
    compare_objects("labels of columns", old.variable_labels(), new.variable_labels(), findings)
    compare_objects("labels of values", old.value_labels(), new.value_labels(), findings)
    for name in columns[0]:
        if not findings.leaves_out(name):
            place = f"column {shorten_text(name, 40)}, row "
            compare_values(place, tables[0][name].to_numpy(), tables[1][name].to_numpy(), findings)


STATA = Stata()
