"""The tracer's path resolution, held against the system's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.capture.books.walker import Walk, Walker
from rtrace.files.symlinks import MOST_LINKS

NAMES = (b"a", b"b", b"c", b"..", b".", b"")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join).filter(lambda path: path != b"")
LINKS = st.dictionaries(st.sampled_from((b"a", b"b", b"c/a", b"c/b")), PATHS, max_size=4)


def walk(walker: Walker, base: bytes, path: bytes, *, follow: bool = True, root: bytes = b"") -> Walk:
    """Resolve a path for this process."""
    return walker.walk(base, path, follow=follow, tgid=os.getpid(), tid=os.getpid(), root=root)


@settings(deadline=None, max_examples=200)
@given(links=LINKS, path=PATHS)
def test_a_path_leads_where_the_system_says(links: dict[bytes, bytes], path: bytes) -> None:
    """What exists is found where Python finds it, and what does not is missing; when all is remembered, too."""
    with tempfile.TemporaryDirectory() as folder:
        base = os.path.realpath(os.fsencode(folder))
        os.makedirs(base + b"/c/c")
        for place, target in links.items():
            os.symlink(target.lstrip(b"/") or b".", base + b"/" + place)
        walker = Walker()
        for _ in range(2):
            found = walk(walker, base, path.lstrip(b"/") or b".")
            assert (found.missing is None) == os.path.exists(base + b"/" + path)
            if found.missing is None:
                assert found.path == os.path.realpath(base + b"/" + path)


def test_the_way_is_told(tmp_path: Path) -> None:
    """The symlinks that were followed and the folders that `..` led out of are told, in the order of the way."""
    base = os.path.realpath(os.fsencode(tmp_path))
    os.makedirs(base + b"/one/two")
    os.symlink(b"one/two/../two", base + b"/link")
    found = walk(Walker(), base, b"link/file")
    assert found == Walk(
        base + b"/one/two/file", None, [base + b"/link", base + b"/one/two"], found.path, volatile=False
    )


@pytest.mark.parametrize("path,follow,end,missing", [
    (b"link", False, b"/link", None),
    (b"link", True, b"/file", None),
    (b"link/", False, b"/file", b"/file/"),
    (b"file/.", False, b"/file", b"/file/"),
    (b"file/below", True, b"/file", b"/file/"),
    (b"absent/below/x", True, b"/absent/below/x", b"/absent"),
    (b"circle", True, b"/circle", b"/circle/"),
    (b"circle", False, b"/circle", None),
])  # fmt: skip
def test_where_a_path_ends(path: bytes, end: bytes, missing: bytes | None, tmp_path: Path, *, follow: bool) -> None:
    """A path ends at its last name, at what is missing, at what is no folder, and in a circle."""
    base = os.path.realpath(os.fsencode(tmp_path))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "circle").symlink_to("circle")
    found = walk(Walker(), base, path, follow=follow)
    assert (found.path, found.missing) == (base + end, None if missing is None else base + missing)


def test_forty_links_are_followed(tmp_path: Path) -> None:
    """A chain of as many symlinks as the kernel follows leads to its end, and a longer one nowhere."""
    base = os.path.realpath(os.fsencode(tmp_path))
    (tmp_path / "0").touch()
    for number in range(1, MOST_LINKS + 2):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    assert walk(Walker(), base, b"%d" % MOST_LINKS).path == base + b"/0"
    assert walk(Walker(), base, b"%d" % (MOST_LINKS + 1)).missing == base + b"/1/"


def test_another_root_is_never_left(tmp_path: Path) -> None:
    """For a process with a root of its own, absolute symlinks begin there and `..` ends there."""
    root = os.path.realpath(os.fsencode(tmp_path)) + b"/jail"
    os.makedirs(root + b"/etc")
    os.symlink(b"/../../etc", root + b"/link")
    assert walk(Walker(), root, b"/link", root=root).path == root + b"/etc"


def test_a_process_means_itself_by_self() -> None:
    """/proc/self leads to the folder of the process that asks, and means something else to each one."""
    found = walk(Walker(), b"/", b"/proc/self/status")
    assert found.path == b"/proc/%d/status" % os.getpid()
    assert found.volatile
    link = walk(Walker(), b"/", b"/proc/self", follow=False)
    assert (link.path, link.status) == (b"/proc/self", None)
    assert not walk(Walker(), b"/", b"/proc/uptime").volatile
