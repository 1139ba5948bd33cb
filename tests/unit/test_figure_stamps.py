"""Stamps go into figures of each format and come out again, and what is damaged or hostile is refused in words."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figure_samples import EPS, SAMPLES, STAMP, SVG, make_chunk, make_packed_pdf, make_pdf, make_png
from rtrace.figures.kinds import KINDS, read_figure, write_figure
from rtrace.figures.pdf_syntax import read_text, write_text
from rtrace.figures.stamp import Stamp, UnfitError, read_stamp, write_stamp

PDFS = {
    "table": make_pdf(),
    "no information": make_pdf(None),
    "no newline": make_pdf(newline=False),
    "packed": make_packed_pdf(),
}


@pytest.mark.parametrize("data", [*SAMPLES.values(), *PDFS.values()], ids=[*SAMPLES, *PDFS])
def test_what_is_stamped_comes_back(data: bytes) -> None:
    """A stamped figure gives its stamp and, without it, the very bytes that the run wrote."""
    figure = read_figure(data)
    stamped = write_figure(figure, STAMP)
    again = read_figure(stamped)
    assert (figure.stamp, again.stamp, again.plain) == (None, STAMP, data)
    assert len(stamped) > len(data)


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_a_new_stamp_replaces_the_old_one(data: bytes) -> None:
    """Stamping twice is stamping once, with the last stamp."""
    other = replace(STAMP, label="another")
    twice = write_figure(read_figure(write_figure(read_figure(data), STAMP)), other)
    assert twice == write_figure(read_figure(data), other)


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_a_stamp_is_ascii_that_no_terminal_obeys(data: bytes) -> None:
    """Whatever a record says, what is put into a figure is printable ASCII."""
    stamped = write_figure(read_figure(data), STAMP)
    assert b"\x1b" not in stamped.replace(data, b"")
    assert re.fullmatch(rb"[ -~]*", write_stamp(STAMP))


@given(payload=st.binary(max_size=300).map(lambda data: bytes(32 + byte % 95 for byte in data)))
@pytest.mark.parametrize("name", SAMPLES)
def test_any_words_come_back(name: str, payload: bytes) -> None:
    """No printable text breaks out of its place, in any format."""
    kind = read_figure(SAMPLES[name]).kind
    if payload:
        assert kind.split(kind.join(SAMPLES[name], payload)) == (SAMPLES[name], payload)


@given(text=st.binary(max_size=50))
def test_strings_of_pdf_come_back(text: bytes) -> None:
    """A string is read as it was written; one that a line end was put in by hand is not rtrace's."""
    if b"\n" not in text:
        assert read_text(write_text(text)) == text


@given(data=st.data())
@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_figures_are_refused_in_words(name: str, data: st.DataObject) -> None:
    """A stamped figure that is cut, or has one other byte, is read or refused; nothing else happens."""
    stamped = write_figure(read_figure(SAMPLES[name]), STAMP)
    place = data.draw(st.integers(0, len(stamped) - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    for damaged in (stamped[:place], stamped[:place] + byte + stamped[place + 1 :]):
        with contextlib.suppress(UnfitError):
            figure = read_figure(damaged)
            assert figure.stamp is None or figure.plain
            write_figure(figure, STAMP)


def test_no_chunk_of_a_png_changes() -> None:
    """The stamp of a PNG is one chunk more, before the last one; all others are as they were."""
    stamped = write_figure(read_figure(make_png()), STAMP)
    added = make_chunk(b"iTXt", b"rtrace\0\0\0\0\0" + write_stamp(STAMP))
    assert stamped == make_png().replace(make_chunk(b"IEND", b""), added + make_chunk(b"IEND", b""))


def test_what_stands_behind_a_png_stays() -> None:
    """Bytes behind the last chunk are kept."""
    data = make_png() + b"behind"
    assert read_figure(write_figure(read_figure(data), STAMP)).plain == data


def test_a_drawing_has_the_same_elements() -> None:
    """A stamped SVG is well-formed XML: one element more, and the author's own metadata untouched."""
    tree = ET.fromstring(write_figure(read_figure(SVG), STAMP))  # noqa: S314 -- a sample of our own
    first, *others = tree
    assert first.get("id") == "rtrace-stamp"
    assert json.loads(first[0].text or "")["run"] == STAMP.run
    plain = ET.fromstring(SVG)  # noqa: S314
    assert [ET.tostring(one) for one in others] == [ET.tostring(one) for one in plain]


def test_a_prefix_of_svg_is_kept() -> None:
    """Where the drawing's elements have a prefix, the stamp's has it as well."""
    data = b'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg>'
    stamped = write_figure(read_figure(data), STAMP)
    assert b"<s:metadata id=" in stamped
    assert read_figure(stamped).plain == data


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_lines_of_eps_end_as_the_others(newline: bytes) -> None:
    """The comments of a stamp end as the first line does, and none is longer than the DSC allows."""
    data = EPS.replace(b"\n", newline)
    stamped = write_figure(read_figure(data), replace(STAMP, command="x" * 1000))
    assert max(map(len, stamped.split(newline))) <= 255
    assert read_figure(stamped).plain == data


@pytest.mark.parametrize("data", PDFS.values(), ids=PDFS)
def test_a_pdf_is_only_appended_to(data: bytes) -> None:
    """No byte of a PDF changes, and its title is there in the new information as well."""
    stamped = write_figure(read_figure(data), STAMP)
    assert stamped.startswith(data)
    assert (b"/Title (A \\(b\\))" in stamped[len(data) :]) == (data != make_pdf(None))


@pytest.mark.parametrize(
    "data, words",
    [
        (b"hello", "it is none of PNG, PDF, JPEG, EPS, SVG"),
        (b"\x1f\x8b\x08", "it is compressed with gzip; uncompress it"),
        (make_png()[:-12], "it is cut off: a PNG ends with an IEND chunk"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "it has no svg element with something in it"),
        (b"<html><svg></svg></html>", "it is none of PNG, PDF, JPEG, EPS, SVG"),
        (b"<x><svg></svg></x>", "it has no svg element with something in it"),
        (b"<svg <", "it is no XML: not well-formed (invalid token) in line 1"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "it declares entities; save it as plain SVG"),
        (
            make_pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt << >>"),
            "it is encrypted; stamp it before it is",
        ),
        (b"%PDF-1.4\n", "it is cut off: a PDF ends with the place of its cross-references"),
        (
            make_pdf().replace(b"4 0 obj", b"9 0 obj"),
            "its structure is damaged: object 4 is not where the table says",
        ),
        (make_pdf(b"<</A " * 50 + b">>" * 50), "its structure is nested too deeply"),
    ],
)
def test_what_takes_no_stamp_is_said(data: bytes, words: str) -> None:
    """Each thing that keeps a file from being stamped has words of its own."""
    with pytest.raises(UnfitError, match=f"^{re.escape(words)}$"):
        write_figure(read_figure(data), STAMP)


def test_a_circle_of_tables_ends() -> None:
    """Cross-references that lead back to themselves are followed once."""
    start = int(make_pdf().split()[-2])
    data = make_pdf().replace(b"/Info 4 0 R", b"/Info 8 0 R /Prev %d" % start)
    with pytest.raises(UnfitError, match="object 8 is missing"):
        write_figure(read_figure(data), STAMP)


def test_a_pdf_of_too_many_objects_is_refused() -> None:
    """A table that claims more objects than any figure has is refused before it is read."""
    data = make_pdf().replace(b"xref\n0 6", b"xref\n0 9999999999")
    with pytest.raises(UnfitError, match="more than 1,000,000 objects"):
        write_figure(read_figure(data), STAMP)


def test_a_bomb_in_a_pdf_is_not_unpacked() -> None:
    """A stream of structure that becomes larger than 64 MiB is refused."""
    bomb = zlib.compress(bytes(65 << 20))
    data = b"%%PDF-1.5\n1 0 obj\n<< /Size 1 /W [1 2 1] /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream\n"
    data = data % (len(bomb), bomb) + b"endobj\nstartxref\n9\n%%EOF\n"
    with pytest.raises(UnfitError, match="more than 64 MiB"):
        write_figure(read_figure(data), STAMP)


def test_a_pdf_that_was_written_anew_keeps_its_stamp() -> None:
    """When something was appended since, the stamp is read all the same, and nothing is cut off."""
    stamped = write_figure(read_figure(make_pdf()), STAMP)
    later = write_figure(read_figure(make_pdf()), STAMP) + b"% signed\n"
    assert read_figure(stamped).plain == make_pdf()
    assert (read_figure(later).stamp, read_figure(later).plain) == (STAMP, later)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"[" * 9000,
        b'{"rtrace-stamp": 1, "run": 3, "sha256": "", "md5": ""}',
        b'{"rtrace-stamp": 1, "run": "a"}',
        b'{"rtrace-stamp": "1"}',
    ],
)
def test_damaged_stamps_are_said(payload: bytes) -> None:
    """What is no stamp is called damaged."""
    with pytest.raises(UnfitError, match=r"^its stamp is damaged$"):
        read_stamp(payload)


def test_a_stamp_of_a_newer_rtrace_is_said() -> None:
    """A stamp with a greater number is left to who can read it."""
    with pytest.raises(UnfitError, match="its stamp has format 2, which a newer rtrace reads"):
        read_stamp(b'{"rtrace-stamp": 2}')


def test_a_damaged_stamp_is_replaced() -> None:
    """A figure whose stamp nobody can read can be stamped again."""
    kind = next(kind for kind in KINDS if kind.name == "PNG")
    damaged = kind.join(make_png(), b"{")
    assert read_figure(write_figure(read_figure(damaged), STAMP)).plain == make_png()


def test_words_are_cut() -> None:
    """A stamp fits into every format, however long a command was."""
    long = Stamp("r", "s", "m", label="\u20ac" * 999, command="\u20ac" * 9999, link="x" * 9999)
    for data in SAMPLES.values():
        stamp = read_figure(write_figure(read_figure(data), long)).stamp
        assert stamp is not None
        assert len(stamp.command or "") == 2000
