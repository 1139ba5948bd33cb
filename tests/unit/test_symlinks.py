"""Following symlinks: the same places that the kernel comes by, and as many links."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.files.symlinks import MOST_LINKS, follow_symlinks

NAMES = (b"a", b"b", b"c", b"..", b".", b"")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join).filter(lambda path: path != b"")
LINKS = st.dictionaries(st.sampled_from((b"/a", b"/b", b"/c/a", b"/c/b")), PATHS, max_size=4)


def find_end(path: bytes, links: dict[bytes, bytes]) -> bytes | None:
    """Return where a path leads, None in a circle."""
    here = b""
    try:
        for step in follow_symlinks(path, links.get):
            here = step.onward
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return None
    return here or b"/"


@settings(deadline=None, max_examples=200)
@given(links=LINKS, path=PATHS)
def test_a_path_leads_where_the_system_says(links: dict[bytes, bytes], path: bytes) -> None:
    """Below a folder, a path that exists leads through symlinks to what Python finds there; a circle leads nowhere."""
    relative = {place: target.lstrip(b"/") or b"." for place, target in links.items()}
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.realpath(os.fsencode(folder)) + b"/root"
        os.makedirs(root + b"/c/c")
        for place, target in relative.items():
            os.symlink(target, root + place)
        below = {root + place: target for place, target in relative.items()}
        end = find_end(root + b"/" + path, below)
        try:
            os.stat(root + b"/" + path)
        except OSError as error:
            if error.errno == errno.ELOOP:
                assert end is None
        else:
            assert end == os.path.realpath(root + b"/" + path)


def test_the_root_is_its_own_parent() -> None:
    """`..` of the root, and of what lies beyond it, is the root; an absolute target begins there."""
    assert find_end(b"/../../x/link", {b"/x/link": b"/../y"}) == b"/y"
    assert find_end(b"/..", {}) == b"/"


def test_a_path_begins_in_its_folder() -> None:
    """A path without a slash in front is looked up in the folder that is given, which is taken as it is."""
    steps = [*follow_symlinks(b"b/c", {b"/a/b": b"d"}.get, b"/a")]
    assert [step.place for step in steps] == [b"/a/b", b"/a/d", b"/a/d/c"]
    assert [step.is_last for step in steps] == [False, False, True]
    assert [step.target for step in steps] == [b"d", None, None]


def test_as_many_links_are_followed_as_the_kernel_follows(tmp_path: Path) -> None:
    """A chain of forty symlinks leads to its end, here and in the kernel; one of forty-one leads nowhere."""
    (tmp_path / "0").touch()
    for number in range(1, MOST_LINKS + 2):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    folder = os.path.realpath(os.fsencode(tmp_path))
    links = {folder + b"/%d" % number: b"%d" % (number - 1) for number in range(1, MOST_LINKS + 2)}
    last = folder + b"/%d" % MOST_LINKS
    assert os.path.exists(last)
    assert find_end(last, links) == folder + b"/0"
    with pytest.raises(OSError, match="symbolic links"):
        os.stat(folder + b"/%d" % (MOST_LINKS + 1))
    assert find_end(folder + b"/%d" % (MOST_LINKS + 1), links) is None
