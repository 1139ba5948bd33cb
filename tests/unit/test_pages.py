"""A page that is one file: it allows its own style and nothing else, and is written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path

import pytest

from rtrace.errors import BundleError, UsageError
from rtrace.files.incomplete import check_place, write_in_place
from rtrace.pages.whole import make_page


def test_policy_allows_the_style_of_the_page_alone() -> None:
    """The digest in the policy is that of the style element; nothing but it and pictures in the page may be used."""
    page = make_page("whole.html").decode()
    style = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    policy = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policy[0].replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"<script|\bsrc=|url\(|@import", page)


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    """An older file stays until the new one is complete, or where that fails; nothing is left beside it."""
    place = tmp_path / "report.html"
    for content in (b"one", b"two"):
        write_in_place(place, content)
        assert place.read_bytes() == content
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x").touch()
    with pytest.raises(BundleError, match="nothing was left there"):
        write_in_place(tmp_path / "folder", b"three")
    assert sorted(os.listdir(tmp_path)) == ["folder", "report.html"]


def test_places_of_other_things_are_refused(tmp_path: Path) -> None:
    """A folder, a device, a FIFO and a folder that is not there are refused before there is anything to write."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/null")
    for name in ("fifo", "device", "."):
        with pytest.raises(UsageError, match="no file that could be replaced"):
            check_place(tmp_path / name)
    with pytest.raises(UsageError, match="there is no folder"):
        check_place(tmp_path / "nowhere/report.html")
    check_place(tmp_path / "report.html")
