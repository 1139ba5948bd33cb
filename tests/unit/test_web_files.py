"""Which files of a run `rtrace web` shows: those that are still what the record says, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from rtrace.record.empty import empty_record
from rtrace.web.content.finding import find_content
from rtrace.web.content.kinds import find_picture
from web_client import Pages, make_pages
from web_history import CSV, SVG, make_run, write_file


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The pages of a small history."""
    return make_pages(tmp_path)


def add_file(pages: Pages, name: str, data: bytes, media_type: str | None = None) -> str:
    """Add a run with one output, and return the address of that."""
    record = empty_record()
    record["outputs"] = [write_file(pages.folder / name, data, media_type)]
    return f"{pages.add(record)}/file/outputs/0"


def test_text_table_and_picture_are_shown(pages: Pages) -> None:
    """A text is text, a CSV file a table, a PNG picture a picture, and each can be saved byte for byte."""
    table = pages.read(f"{pages.run}/file/inputs/0")
    assert re.findall(r"<th scope=\"col\">(\w+)</th>", table) == ["year", "anomaly"]
    assert table.count("<td>2021</td><td>0.85</td>") == 1
    assert "window: 30" in pages.read(f"{pages.run}/file/inputs/1")
    picture = f"{pages.run}/file/outputs/0"
    assert f'<img class="picture" src="{picture}/picture"' in pages.read(picture)
    sent = pages.get(f"{picture}/picture")
    assert sent.content_type == "image/png"
    assert hashlib.sha256(sent.data).hexdigest() == pages.records[0]["outputs"][0]["sha256"]
    saved = pages.get(f"{pages.run}/file/inputs/0/save")
    assert (saved.data, saved.content_type) == (CSV, "application/octet-stream")
    assert saved.headers["Content-Disposition"].startswith('attachment; filename="stations.csv"')


def test_file_that_is_another_now_is_not_shown(pages: Pages) -> None:
    """After a change, even one that keeps the size, no byte of the file is shown or sent; nor after it is gone."""
    path = Path(pages.records[0]["inputs"][0]["path"])
    address = f"{pages.run}/file/inputs/0"
    path.write_bytes(CSV.replace(b"0.85", b"9.99"))
    for state in ("another", "gone", "a pipe"):
        if state != "another":
            path.unlink(missing_ok=True)
        if state == "a pipe":
            os.mkfifo(path)
        text = pages.read(address)
        assert "9.99" not in text
        assert "No file with the digest" in text
        assert pages.get(f"{address}/save").status_code == 404
        assert pages.get(f"{address}/picture").status_code == 404


def test_symlink_and_file_without_digest_are_not_shown(pages: Pages) -> None:
    """A symlink in the place of the file is not followed, and a file that was never digested is never read."""
    path = Path(pages.records[0]["inputs"][0]["path"])
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")
    assert "No file with the digest" in pages.read(f"{pages.run}/file/inputs/0")
    record = make_run(pages.folder / "other")
    record["inputs"][0]["sha256"] = None
    record["inputs"][0]["problem"] = "it was too large"
    address = pages.add(record)
    text = pages.read(f"{address}/file/inputs/0")
    assert "it was too large" in text
    assert "2021" not in text


def test_stamped_file_is_shown(pages: Pages) -> None:
    """A figure with a stamp in it has another digest and size, which the record knows as well."""
    record = make_run(pages.folder / "stamped")
    figure = Path(record["outputs"][0]["path"])
    figure.write_bytes(figure.read_bytes() + b"stamp")
    record["outputs"][0]["stamped"] = [hashlib.sha256(figure.read_bytes()).hexdigest()]
    address = f"{pages.add(record)}/file/outputs/0"
    assert pages.get(f"{address}/picture").data.endswith(b"stamp")


def test_copy_that_was_kept_is_found(pages: Pages) -> None:
    """When the output itself is gone, its copy in a folder is shown; a copy elsewhere on the net is not asked for."""
    record = make_run(pages.folder / "kept")
    output = record["outputs"][1]
    copy = pages.folder / "store" / "a copy"
    copy.parent.mkdir()
    Path(output["path"]).rename(copy)
    digest = output["sha256"]
    assert digest is not None
    record["kept"] = [{"path": output["path"], "sha256": digest, "url": "https://192.0.2.1/store"}]
    assert find_content(record, dict(output)) is None
    record["kept"].append({"path": output["path"], "sha256": digest, "url": copy.as_uri()})
    found = find_content(record, dict(output))
    assert found is not None
    found.file.close()
    assert found.place == "among the copies"


def test_active_content_does_nothing(pages: Pages) -> None:
    """HTML is shown as its text; an SVG drawing is a picture that may run nothing, whatever opens it."""
    page = add_file(pages, "page.html", b"<script>alert(1)</script>", "text/html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages.read(page)
    assert pages.get(f"{page}/picture").status_code == 404
    drawing = pages.get(f"{add_file(pages, 'drawing.svg', SVG, 'text/html')}/picture")
    assert drawing.content_type == "image/svg+xml"
    assert drawing.headers["Content-Security-Policy"].endswith("; sandbox")
    assert pages.get(f"{page}/save").content_type == "application/octet-stream"


def test_odd_contents_are_shown_as_far_as_they_can_be(pages: Pages) -> None:
    """Bytes that are no text, an empty file, control characters, and tables that are none, odd or endless."""
    assert "nothing that can be shown" in pages.read(add_file(pages, "data.bin", b"\0\1\2\xff"))
    assert "nothing that can be shown" in pages.read(add_file(pages, "empty.txt", b""))
    assert "\\x1b[31m" in pages.read(add_file(pages, "log.txt", b"\x1b[31mred"))
    assert "one column" in pages.read(add_file(pages, "one.csv", b"one column\n1\n"))
    assert "&#34;open" in pages.read(add_file(pages, "bad.csv", b'"open\n' + b"x" * 200_000))
    ragged = pages.read(add_file(pages, "ragged.csv", b"a,b\n1\n1,2,3\n"))
    assert ragged.count('<th scope="col">') == 3
    long = pages.read(add_file(pages, "long.csv", b"a,b\n" + b"1,2\n" * 100_000))
    assert "Only the beginning is shown" in long
    assert len(long) < 100_000
    cut = pages.read(add_file(pages, "long.txt", "ä".encode() * 300_000))
    assert "Only the beginning is shown" in cut


def test_pictures_are_told_by_their_bytes() -> None:
    """A name or media type makes no picture, and a drawing is one behind comments and declarations as well."""
    assert find_picture(b"\x89PNG\r\n\x1a\n...") == "image/png"
    assert find_picture(b"RIFF....WEBPVP8 ") == "image/webp"
    assert find_picture(b'<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE svg>\n<svg xmlns="x">') == "image/svg+xml"
    assert find_picture(b"<html><svg>") is None
    assert find_picture(b"<!---->" * 500 + b"<svg") is None  # and that at once: each comment is one in one way alone
    assert find_picture(b"") is None


def test_bundle_is_sent_only_as_the_one_it_was(pages: Pages) -> None:
    """What lies in the place of a bundle and is none, or nothing at all, or has no identity on record, is not sent."""
    path = pages.folder / "bundle.rpz"
    path.write_bytes(b"secret")
    record = empty_record()
    record["bundles"] = [
        {"path": str(path), "identity": f"sha256:{'0' * 64}", "run": None, "doi": None},
        {"path": str(path), "identity": None, "run": None, "doi": None},
        {"path": str(pages.folder / "gone.rpz"), "identity": f"sha256:{'0' * 64}", "run": None, "doi": None},
        {"path": "\ud800", "identity": "x", "run": None, "doi": None},
    ]
    os.mkfifo(pages.folder / "pipe.rpz")
    record["bundles"].append(
        {"path": str(pages.folder / "pipe.rpz"), "identity": f"sha256:{'0' * 64}", "run": None, "doi": None}
    )
    record["inputs"] = [{**pages.records[0]["inputs"][0], "path": "/nowhere"}]  # is looked for in all bundles
    address = pages.add(record)
    assert "No file with the digest" in pages.read(f"{address}/file/inputs/0")
    for number in range(6):
        response = pages.get(f"{address}/bundle/{number}")
        assert response.status_code == 404
        assert b"secret" not in response.data
