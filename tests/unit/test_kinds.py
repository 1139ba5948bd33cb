"""Contents compared as what they are: pairs that say the same with other bytes, and pairs that differ in one value."""

import bz2
import gzip
import io
import json
import lzma
import math
import random
import re
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rtrace.verify.judging.apart import Apart
from rtrace.verify.judging.judging import Judging
from rtrace.verify.kinds.model import Judgement, Rule

EXACT = Rule()
XML = b"<?xml version='1.0'?>"
TEXT = bytes(random.Random(1).choices(b"abcd", k=4000))  # noqa: S311
LARGE = b"9007199254740992", b"9007199254740993"


def judge(expected: bytes, found: bytes, rule: Rule = EXACT, name: bytes = b"out") -> Judgement:
    """Compare two contents."""
    return Judging().judge(io.BytesIO(expected), io.BytesIO(found), rule, (name, name))


def make_zip(method: int, *members: tuple[str, bytes]) -> bytes:
    """Return a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (1980 + method, 1, 1, 0, 0, 0)), content, method)
    return file.getvalue()


def make_tar(time: int, *members: tuple[str, bytes]) -> bytes:
    """Return a tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), time
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def make_npy(
    numbers: "array[float] | array[int]", shape: tuple[int, ...], descr: str, *, swap: bool = False, pad: int = 0
) -> bytes:
    """Return an array as NumPy writes it."""
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b" " * pad + b"\n"
    content = array(numbers.typecode, numbers)
    if swap:
        content.byteswap()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + content.tobytes()


def make_database(folder: Path, rows: list[tuple[object, ...]], *, vacuum: bool = False, index: bool = False) -> bytes:
    """Return a database with one table."""
    path = folder / f"{random.random()}.db"  # noqa: S311
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a, b REAL)")
    if index:
        connection.execute("CREATE INDEX i ON t (a)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    connection.commit()
    if vacuum:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("VACUUM")
    connection.close()
    return path.read_bytes()


def make_png(pixel: int, text: bytes, level: int) -> bytes:
    """Return a grey picture of 4 by 2 pixels, one of them of some brightness."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"\0" + bytes([1, 2, pixel, 4]) + b"\0" + bytes([5, 6, 7, 8])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0)),
            chunk(b"tEXt", b"date\0" + text),
            chunk(b"IDAT", zlib.compress(rows, level)),
            chunk(b"IEND", b""),
        )
    )


def make_notebook(count: int, output: str) -> bytes:
    """Return a notebook of one cell."""
    cell = {
        "cell_type": "code",
        "execution_count": count,
        "id": f"id{count}",
        "metadata": {"execution": {"iopub.execute_input": f"2026-01-0{count}T00:00:00Z"}},
        "outputs": [{"name": "stdout", "output_type": "stream", "text": [output]}],
        "source": ["print(1)"],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def make_pdf(date: str, word: str) -> bytes:
    """Return what looks like a PDF to whoever reads no further than its dates."""
    return (
        f"%PDF-1.4\n1 0 obj<</CreationDate (D:{date})>>\n(/{word})\n/ID [<{date:0>32}> <{date:0>32}>]\n%%EOF".encode()
    )


def svg(ids: str, date: str, width: int) -> bytes:
    """Return a picture as matplotlib writes one."""
    return (
        f'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:date>{date}</dc:date></metadata><defs><clipPath id='{ids}'/></defs>"
        f"<g clip-path='url(#{ids})' width='{width}'/></svg>"
    ).encode()


NUMBERS = array("d", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
CHANGED = array("d", [1.0, 2.0, 3.0, 4.0, 5.0, 6.5])

EQUAL: dict[str, tuple[bytes, bytes, bytes, str]] = {
    "numbers in a text": (b"a 1.0\nb 2e3\n", b"a 1.00\nb 2000\n", b"out", "how numbers are written"),
    "ends of lines": (b"a\nb\n", b"a \r\nb\r\n", b"out", "blanks at the end of lines"),
    "byte order mark": (b"a b\n", b"\xef\xbb\xbfa b\n", b"out", ""),
    "UTF-16": ("a 1.0\n".encode("utf-16"), "a 1.00\n".encode("utf-16"), b"out", "how numbers are written"),
    "quotes in a table": (b"a,b\n1,x\n2,y\n", b'"a","b"\r\n"1","x"\r\n"2","y"\r\n', b"t.csv", "quotes"),
    "numbers in a table": (b"a\tb\n1\t2\n3\t4\n", b"a\tb\n1.0\t2\n3\t4e0\n", b"t", "how numbers are written"),
    "keys of JSON": (b'{"a": 1, "b": [1, 2.5]}', b'{"b":[1,2.50],"a":1}', b"out", "how numbers are written"),
    "layout of JSON": (b'{"a": [1, 2]}', b'{\n "a": [1,\n 2]}', b"out", "order of keys, or layout"),
    "layout of YAML": (b"a: 1\nb: [1, 2]\n", b"b:\n- 1\n- 2\na: 1\n", b"c.yml", "order of keys, or layout"),
    "layout of TOML": (b"a = 1\n[b]\nc = 2\n", b"a=1\nb.c = 2\n", b"c.toml", "order of keys, or layout"),
    "attributes of XML": (
        b"<?xml version='1.0'?><a b='1' c='2'/>",
        b"<?xml version='1.0'?><a c='2' b='1'> </a>",
        b"o",
        "order of",
    ),
    "identifiers of SVG": (svg("m1ab", "2026-01-01", 5), svg("m9ff", "2026-02-02", 5), b"f.svg", "date, generated"),
    "notebook": (make_notebook(1, "1\n"), make_notebook(2, "1\n"), b"n.ipynb", "numbers of executions"),
    "time in gzip": (gzip.compress(b"hello", mtime=1), gzip.compress(b"hello", 1, mtime=2), b"a.gz", "compression"),
    "level of bzip2": (bz2.compress(b"hello" * 99, 1), bz2.compress(b"hello" * 99, 9), b"a.bz2", "compression"),
    "level of xz": (
        lzma.compress(TEXT, preset=0),
        lzma.compress(TEXT, preset=9),
        b"a.xz",
        "compression",
    ),
    "level of zstd": (
        zstandard.compress(TEXT, 1),
        zstandard.compress(TEXT, 19),
        b"a.zst",
        "compression",
    ),
    "numbers in gzip": (
        gzip.compress(b"a 1.0\n", mtime=1),
        gzip.compress(b"a 1.00\n", mtime=1),
        b"a.gz",
        "how numbers",
    ),
    "gzip and xz": (gzip.compress(b"hello", mtime=1), lzma.compress(b"hello"), b"a", "compression"),
    "zip": (
        make_zip(zipfile.ZIP_STORED, ("a", b"1"), ("b", b"2")),
        make_zip(zipfile.ZIP_DEFLATED, ("b", b"2"), ("a", b"1")),
        b"a.zip",
        "order of members",
    ),
    "tar": (make_tar(1, ("a", b"1"), ("b", b"2")), make_tar(2, ("b", b"2"), ("a", b"1")), b"a.tar", "order of members"),
    "tar in gzip": (
        gzip.compress(make_tar(1, ("a", b"x 1.0\n")), mtime=1),
        gzip.compress(make_tar(2, ("a", b"x 1.00\n")), mtime=2),
        b"a.tgz",
        "how numbers are written",
    ),
    "document of an office": (
        make_zip(0, ("docProps/core.xml", b"<a>1</a>"), ("w.xml", b"1")),
        make_zip(0, ("docProps/core.xml", b"<a>2</a>"), ("w.xml", b"1")),
        b"a.docx",
        "who made the document",
    ),
    "order of bytes in an array": (
        make_npy(NUMBERS, (2, 3), "<f8"),
        make_npy(NUMBERS, (2, 3), ">f8", swap=True),
        b"a.npy",
        "order of bytes",
    ),
    "header of an array": (make_npy(NUMBERS, (6,), "<f8"), make_npy(NUMBERS, (6,), "<f8", pad=8), b"a.npy", "layout"),
    "text in PNG": (make_png(3, b"monday", 0), make_png(3, b"tuesday", 9), b"a.png", "text, times"),
    "dates in PDF": (make_pdf("20260101", "a"), make_pdf("20260202", "a"), b"a.pdf", "dates and identifiers"),
}

DIFFERENT: dict[str, tuple[bytes, bytes, bytes, str, str, str]] = {
    "a number in a text": (b"a 1\nb 2\n", b"a 1\nb 3\n", b"out", "line 2", "2", "3"),
    "a large number": (
        b"9007199254740992\n",
        b"9007199254740993\n",
        b"out",
        "line 1",
        "9007199254740992",
        "9007199254740993",
    ),
    "a version": (b"v 1.2.3\n", b"v 1.2.4\n", b"out", "line 1", "v 1.2.3", "v 1.2.4"),
    "a date": (b"on 2026-11-29\n", b"on 2026-11-30\n", b"out", "line 1", "on 2026-11-29", "on 2026-11-30"),
    "a word": (b"x\nabc\n", b"x\nabd\n", b"out", "line 2", "abc", "abd"),
    "blanks in a line": (b"if x:\n  y\n", b"if x:\n    y\n", b"out", "line 2", "  y", "    y"),
    "a line more": (b"a\n", b"a\nb\n", b"out", "line 2", "no more lines", "b"),
    "a cell": (b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,5\n", b"t.csv", "row 3, column b", "4", "5"),
    "a row": (b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n", b"t.csv", "row 3", "3, 4", "no more rows"),
    "a value of JSON": (b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', b"out", "/a/b/1", "2", "3"),
    "a kind of value": (b'{"a": 1}', b'{"a": "1"}', b"out", "/a", "1", '"1"'),
    "true and one": (b'{"a": true}', b'{"a": 1}', b"out", "/a", "true", "1"),
    "a key": (b'{"a": 1, "b": 2}', b'{"a": 1}', b"out", "/b", "2", "not there"),
    "an item": (b"[1, 2]", b"[1, 2, 3]", b"out", "/", "2 items", "3 items"),
    "a value of YAML": (b"a: 1\nb: x\n", b"a: 1\nb: y\n", b"c.yaml", "/0/b", "x", "y"),
    "a value of TOML": (b"a = 1\n", b"a = 2\n", b"c.toml", "/a", "1", "2"),
    "an attribute": (
        b"<?xml version='1.0'?><a b='1'/>",
        b"<?xml version='1.0'?><a b='2'/>",
        b"o",
        "/attributes/b",
        "1",
        "2",
    ),
    "an element": (
        b"<?xml version='1.0'?><a><b/></a>",
        b"<?xml version='1.0'?><a><c/></a>",
        b"o",
        "/elements/0/name",
        "b",
        "c",
    ),
    "a width in SVG": (svg("a", "1", 5), svg("b", "2", 6), b"f.svg", "/elements/2/attributes/width", "5", "6"),
    "an output of a notebook": (
        make_notebook(1, "1\n"),
        make_notebook(2, "2\n"),
        b"n.ipynb",
        "/cells/0/outputs/0/text, line 1",
        "1",
        "2",
    ),
    "a number in gzip": (gzip.compress(b"a 1\n"), gzip.compress(b"a 2\n"), b"a.gz", "line 1", "1", "2"),
    "a member of a zip": (
        make_zip(0, ("a", b"1"), ("t.csv", b"a,b\n1,2\n")),
        make_zip(0, ("a", b"1"), ("t.csv", b"a,b\n1,3\n")),
        b"a.zip",
        "member t.csv, row 2, column b",
        "2",
        "3",
    ),
    "a member that is gone": (
        make_tar(1, ("a", b"1"), ("b", b"2")),
        make_tar(1, ("a", b"1")),
        b"a.tar",
        "member b",
        "b",
        "not there",
    ),
    "a number of an array": (
        make_npy(NUMBERS, (2, 3), "<f8"),
        make_npy(CHANGED, (2, 3), "<f8"),
        b"a.npy",
        "[1, 2]",
        "6.0",
        "6.5",
    ),
    "a shape": (
        make_npy(NUMBERS, (2, 3), "<f8"),
        make_npy(NUMBERS, (3, 2), "<f8"),
        b"a.npy",
        "shape",
        "(2, 3)",
        "(3, 2)",
    ),
    "a type": (
        make_npy(NUMBERS, (6,), "<f8"),
        make_npy(array("q", range(6)), (6,), "<i8"),
        b"a.npy",
        "type",
        "<f8",
        "<i8",
    ),
    "bytes": (b"\0\1\2\3", b"\0\1\2\4", b"out", "byte 3", "03", "04"),
    "a byte more": (b"\0\1", b"\0\1\2", b"out", "byte 2", "no more bytes", "02"),
    "a text and a picture": (
        b"hello\n",
        make_png(1, b"", 1),
        b"out",
        "byte 0",
        "68 65 6c 6c 6f 0a",
        "89 50 4e 47 0d 0a 1a 0a",
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_other_bytes_that_say_the_same(name: str) -> None:
    """Either way round, and what does not count is named."""
    expected, found, path, ignored = EQUAL[name]
    assert expected != found
    for one, other in ((expected, found), (found, expected)):
        judgement = judge(one, other, name=path)
        assert judgement.likeness == "equal", judgement
        assert ignored in ", ".join(judgement.ignored)


@pytest.mark.parametrize("name", DIFFERENT)
def test_one_difference_is_found_with_its_place(name: str) -> None:
    """Either way round; no tolerance of a millionth hides it."""
    expected, found, path, place, old, new = DIFFERENT[name]
    judgement = judge(expected, found, name=path)
    assert (judgement.likeness, judgement.place, judgement.expected, judgement.found) == ("different", place, old, new)
    back = judge(found, expected, name=path)
    assert (back.likeness, back.place, back.expected, back.found) == ("different", place, new, old)


def test_a_pixel_is_found(tmp_path: Path) -> None:
    """Where Pillow is not installed, that there is one."""
    judgement = judge(make_png(3, b"a", 1), make_png(9, b"b", 1), name=b"a.png")
    assert judgement.likeness == "different"
    assert judgement.place in {"pixels", "pixels 2,0 to 2,0"}
    assert tmp_path.is_dir()


def test_databases(tmp_path: Path) -> None:
    """Rows in another order, another size of pages; a value, a type, a row, a table."""
    rows: list[tuple[object, ...]] = [(1, 2.0), ("x", 3.5), (b"\xff", None)]
    one = make_database(tmp_path, rows)
    assert judge(one, make_database(tmp_path, rows[::-1])).likeness == "equal"
    assert judge(one, make_database(tmp_path, rows, vacuum=True)).likeness == "equal"
    changes: tuple[tuple[list[tuple[object, ...]], str], ...] = (
        ([(1, 2.0), ("x", 3.25), (b"\xff", None)], "row 2, column b of the table t"),
        ([(1, 2.0), ("x", 3.5), ("\xff", None)], "row 3, column a of the table t"),
        ([*rows, (7, 7.0)], "row 2, column a of the table t"),
        (rows[:2], "row 3 of the table t"),
    )
    for others, place in changes:
        judgement = judge(one, make_database(tmp_path, others))
        assert (judgement.likeness, judgement.place) == ("different", place), judgement


CLOSE: dict[str, tuple[bytes, bytes, bytes]] = {
    "text": (b"loss 0.123456789\n", b"loss 0.123456788\n", b"out"),
    "table": (b"a,b\n1,2.0000001\n", b"a,b\n1,2.0\n", b"t.csv"),
    "JSON": (b'{"a": 1.0000001}', b'{"a": 1.0}', b"out"),
    "NumPy array": (
        make_npy(array("d", [1.0, 2.0]), (2,), "<f8"),
        make_npy(array("d", [1.0, 2.0000001]), (2,), "<f8"),
        b"a.npy",
    ),
}


@pytest.mark.parametrize("name", CLOSE)
def test_close_within_a_tolerance(name: str) -> None:
    """Different without one, or with a smaller one; the largest difference is told."""
    expected, found, path = CLOSE[name]
    assert judge(expected, found, name=path).likeness == "different"
    assert judge(expected, found, Rule(tolerance=1e-12), path).likeness == "different"
    judgement = judge(expected, found, Rule(tolerance=1e-6), path)
    assert judgement.likeness == "close"
    assert judgement.amount is not None
    assert 0 < judgement.amount < 1e-6


def test_a_tolerance_makes_no_dates_or_words_close() -> None:
    """Only numbers that stand alone are numbers."""
    rule = Rule(tolerance=0.5)
    for one, other in (
        (b"2026-11-29\n", b"2026-11-30\n"),
        (b"12:30:01\n", b"12:30:02\n"),
        (b"run1\n", b"run2\n"),
        (b"v1.2.3\n", b"v1.2.4\n"),
    ):
        assert judge(one, other, rule).likeness == "different"


@given(st.floats(), st.floats(), st.floats(0, 1))
def test_numbers(one: float, other: float, tolerance: float) -> None:
    """Symmetric; a NaN is like a NaN and nothing else; infinity is like itself alone."""
    rule = Rule(tolerance=tolerance)
    assert rule.compare(one, other) == rule.compare(other, one)
    assert rule.compare(one, one) == "equal"
    if math.isnan(one) != math.isnan(other) or math.isinf(one) != math.isinf(other):
        assert rule.compare(one, other) == "different"
    if one != other and tolerance == 0 and not (math.isnan(one) and math.isnan(other)):
        assert rule.compare(one, other) == "different"


@given(st.text(max_size=80), st.text(max_size=80))
def test_texts_that_differ_are_never_taken_for_equal(one: str, other: str) -> None:
    """But for blanks at the ends of lines, and how numbers are written."""
    judgement = judge(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
    if one == other:
        return
    plain = [[line.rstrip() for line in re.split(r"\r\n|\r|\n", text)] for text in (one, other)]
    if judgement.likeness != "different":
        digits = [re.sub(r"[-+.0-9eE]+", "", "".join(lines)) for lines in plain]
        assert "".join(digits[0].split()) == "".join(digits[1].split())


def test_what_is_ignored_and_what_has_no_order() -> None:
    """By rules: lines and columns that match, paths, any order."""
    ignore = Rule(ignore=(re.compile(r"^Date:"),))
    assert judge(b"a\nDate: 1x\n", b"a\nDate: 2x\n", ignore).likeness == "equal"
    assert judge(b"a\nDate: 1x\n", b"b\nDate: 2x\n", ignore).likeness == "different"
    tree = Rule(ignore=(re.compile(r"^/meta/created"),))
    assert judge(b'{"meta": {"created": 1}, "a": 1}', b'{"meta": {"created": 2}, "a": 1}', tree).likeness == "equal"
    assert judge(b'{"meta": {"created": 1}, "a": 1}', b'{"meta": {"created": 2}, "a": 2}', tree).likeness == "different"
    unordered = Rule(unordered=True)
    assert judge(b"a x\nb y\n", b"b y\na x\n", unordered).likeness == "equal"
    assert judge(b"a x\nb y\n", b"b y\na z\n", unordered).likeness == "different"
    assert judge(b"a,b\n1,2\n3,4\n", b"a,b\n3,4\n1,2\n", unordered).likeness == "equal"
    assert judge(b"[1, 2]", b"[2, 1]", unordered).likeness == "equal"


def test_what_often_differs_is_hinted_at_and_different_all_the_same() -> None:
    """A date may be a result."""
    judgement = judge(b"made 2026-01-01 12:00:00\nx\n", b"made 2026-02-02 13:00:00\nx\n")
    assert (judgement.likeness, judgement.note) == ("different", "nothing but dates or times differs")
    assert judge(b"at 0x7f0012345678\n", b"at 0x7f0087654321\n").note == "nothing but addresses in memory differs"
    assert judge(b"made 2026-01-01\nx\n", b"made 2026-02-02\ny\n").note == ""


def make_laughs(number: int) -> bytes:
    """Return a short YAML document that is very large when it is written out."""
    letters = "abcdefghijklmnopqrstuvwx"
    lines = (f"{next_one}: &{next_one} [{', '.join([f'*{one}'] * 8)}]\n" for one, next_one in pairwise(letters))
    return f"a: &a [{number}]\n{''.join(lines)}".encode()


MALFORMED: dict[str, tuple[bytes, bytes]] = {
    "JSON": (b'{"a": 1', b'{"a": 2'),
    "JSON with a key twice": (b'{"a": 1, "a": 2}', b'{"a": 1, "a": 3}'),
    "deep JSON": (b"[" * 50_000 + b"1", b"[" * 50_000 + b"2"),
    "XML": (b"<?xml version='1.0'?><a>", b"<?xml version='1.0'?><b>"),
    "XML with entities": (
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;1</a>",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;2</a>",
    ),
    "gzip": (gzip.compress(b"hello")[:-5], gzip.compress(b"hellp")[:-5]),
    "zip": (b"PK\3\4aaaa", b"PK\3\4bbbb"),
    "tar": (make_tar(1, ("a", b"1" * 9999))[:600], make_tar(2, ("a", b"2" * 9999))[:600]),
    "array": (b"\x93NUMPY\1\0\x10\0aaaaaaaaaaaaaaaa", b"\x93NUMPY\1\0\x10\0bbbbbbbbbbbbbbbb"),
    "array of objects": (make_npy(NUMBERS, (6,), "|O"), make_npy(CHANGED, (6,), "|O")),
    "array that is cut off": (make_npy(NUMBERS, (9,), "<f8"), make_npy(CHANGED, (9,), "<f8")),
    "array of very many": (make_npy(NUMBERS, (1 << 60,), "<f8"), make_npy(CHANGED, (1 << 60,), "<f8")),
    "database": (b"SQLite format 3\0" + b"a" * 900, b"SQLite format 3\0" + b"b" * 900),
    "PNG": (b"\x89PNG\r\n\x1a\n" + b"a" * 99, b"\x89PNG\r\n\x1a\n" + b"b" * 99),
    "ELF": (b"\x7fELF\2\1" + b"a" * 99, b"\x7fELF\2\1" + b"b" * 99),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"a" * 99, b"\x89HDF\r\n\x1a\n" + b"b" * 99),
    "Parquet": (b"PAR1" + b"a" * 99, b"PAR1" + b"b" * 99),
    "PDF": (b"%PDF-1.4\n" + b"a" * 99, b"%PDF-1.4\n" + b"b" * 99),
    "YAML of many aliases": (make_laughs(1), make_laughs(2)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_different_and_said_to_be_so(name: str) -> None:
    """By its bytes, or as a text."""
    expected, found = MALFORMED[name]
    judgement = judge(expected, found, name=b"c.yaml" if name.startswith("YAML") else b"out")
    assert judgement.likeness == "different"
    assert judgement.place
    assert judgement.note or judgement.kind == "text", judgement


def make_bomb(levels: int) -> bytes:
    """Return a file that is compressed many times."""
    content = b"x"
    for _ in range(levels):
        content = gzip.compress(content, mtime=0)
    return content


def test_files_in_files_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compression in compression, and more than a person could mean."""
    deep = make_bomb(30)
    other = gzip.compress(deep[:-1] + b"?", mtime=0)
    assert judge(deep, other).likeness == "different"
    monkeypatch.setattr("rtrace.verify.kinds.packed.MOST", 1 << 20)
    judging = Judging()
    judging._room.left = 1 << 20
    large = [gzip.compress(bytes(1 << 21) + end, mtime=0) for end in (b"a", b"b")]
    judgement = judging.judge(io.BytesIO(large[0]), io.BytesIO(large[1]), EXACT, (b"a", b"a"))
    assert judgement.likeness == "different"
    assert "come out of it" in judgement.note


def test_a_comparison_apart(tmp_path: Path) -> None:
    """The same answers as at home; one that takes too long is no verdict, and the next one is judged again."""
    for name, content in (("a", b"x 1.0\n"), ("b", b"x 1.00\n"), ("c", b"x 2\n"), ("d", b"a" * 40 + b"!\n")):
        (tmp_path / name).write_bytes(content)
    with Apart(seconds=20) as apart:
        assert apart.judge(tmp_path / "a", tmp_path / "b", EXACT, b"out").likeness == "equal"
        assert apart.judge(tmp_path / "a", tmp_path / "c", EXACT, b"out").place == "line 1"
    with Apart(seconds=3) as apart:
        hostile = Rule(ignore=(re.compile(r"(a+)+b"),))
        judgement = apart.judge(tmp_path / "d", tmp_path / "a", hostile, b"out")
        assert (judgement.likeness, "could not be compared" in judgement.note) == ("unknown", True)
    with Apart(seconds=20, memory=1 << 20) as apart:
        assert apart.judge(tmp_path / "a", tmp_path / "b", EXACT, b"out").likeness == "unknown"
    with Apart(seconds=20) as apart:
        assert apart.judge(tmp_path / "gone", tmp_path / "b", EXACT, b"out").likeness == "unknown"
        assert apart.judge(tmp_path / "a", tmp_path / "b", EXACT, b"out").likeness == "equal"


def test_programs(tmp_path: Path) -> None:
    """Sections of a library that is here, one byte of its code changed, and its build id."""
    path = next(Path("/usr/bin").glob("true"))
    program = path.read_bytes()
    if not program.startswith(b"\x7fELF"):
        pytest.skip("needs an ELF program")
    from rtrace.verify.kinds.programs import read_sections

    sections = read_sections(io.BytesIO(program))

    def change(section: str) -> bytes:
        at = sections[section].offset + sections[section].size - 1
        return program[:at] + bytes([program[at] ^ 1]) + program[at + 1 :]

    assert judge(program, change(".note.gnu.build-id")).ignored == ("build id",)
    judgement = judge(program, change(".text"))
    size = sections[".text"].size
    assert (judgement.likeness, judgement.place) == ("different", f"section .text, byte {size - 1}")
    assert tmp_path.is_dir()
