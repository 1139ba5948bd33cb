"""Workbooks of Excel (.xlsx), read by openpyxl."""

from __future__ import annotations

import zipfile
from itertools import zip_longest
from typing import Any, BinaryIO

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text
from rtrace.verify.plugins.reading import reading

_ZIP, _PART = b"PK\x03\x04", b"xl/workbook.xml"
_DRAWN = ("xl/charts/", "xl/drawings/", "xl/media/", "xl/externalLinks/", "xl/vbaProject.bin", "xl/pivotTables/")
"""Parts besides the sheets that show something, or do."""


class Excel:
    """Compares sheet by sheet and cell by cell: values and formulas; how cells look does not count."""

    name = "workbook"

    def recognise(self, head: bytes, name: bytes) -> bool:
        """Whether a content is a zip with a workbook in it."""
        return head.startswith(_ZIP) and (_PART in head or name.endswith((b".xlsx", b".xlsm")))

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the sheets. Raises CannotCompareError where charts or pictures differ: then each part is compared."""
        findings = Findings(self.name, rule)
        with reading(self.name, "openpyxl"):
            from openpyxl import load_workbook

            if _read_drawn(expected) != _read_drawn(found):
                raise CannotCompareError("its charts, pictures or programs differ, which are compared part by part")
            for is_cached in (False, True):
                books = []
                for file in (expected, found):
                    file.seek(0)
                    books.append(load_workbook(file, read_only=True, data_only=is_cached))
                _compare_books(books[0], books[1], findings)
                for book in books:
                    book.close()
                if findings.likeness == "different":
                    break
        if findings.likeness in {"equal", "close"}:
            findings.ignore("who made it, and when", "how cells look")
        return findings.conclude()


def _read_drawn(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Return size and check sum of each part that shows something besides the cells."""
    with zipfile.ZipFile(file) as archive:
        return {
            info.filename: (info.file_size, info.CRC) for info in archive.infolist() if info.filename.startswith(_DRAWN)
        }


def _compare_books(old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401 -- openpyxl's
    if old.sheetnames != new.sheetnames:
        findings.differ("sheets", *(shorten_text(", ".join(book.sheetnames)) for book in (old, new)))
        return
    for name in old.sheetnames:
        if findings.leaves_out(f"/{name}"):
            continue
        sheets = old[name], new[name]
        if any(not hasattr(sheet, "iter_rows") for sheet in sheets):
            continue  # a chart that is a sheet: its parts are the same
        rows = zip_longest(*(sheet.iter_rows(values_only=True) for sheet in sheets), fillvalue=())
        for number, (one, other) in enumerate(rows, start=1):
            for column, (first, second) in enumerate(zip_longest(one, other), start=1):
                if first != second or type(first) is not type(second):
                    _compare_cells(f"sheet {name}, cell {_name_column(column)}{number}", first, second, findings)


def _compare_cells(place: str, old: object, new: object, findings: Findings) -> None:
    numbers = [value for value in (old, new) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) == 2:  # noqa: PLR2004 -- 1 and 1.0 are the same number in a sheet
        findings.number(place, float(numbers[0]), float(numbers[1]))
    else:
        findings.differ(place, *("nothing" if value is None else shorten_text(_show(value)) for value in (old, new)))


def _show(value: object) -> str:
    return str(getattr(value, "text", value))


def _name_column(number: int) -> str:
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


EXCEL = Excel()
