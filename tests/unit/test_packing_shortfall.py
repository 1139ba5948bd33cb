"""What is told of a file that could not be packed as the run found it."""

from __future__ import annotations

import pytest

from rtrace.bundle.writing.item import Written
from rtrace.pack.shortfall import Shortfall, describe_shortfall, describe_touched, describe_unkept

CASES = [
    (Shortfall(b"/a", Written.CHANGED), "changed", "/a changed after the trace: it was packed as it is now"),
    (Shortfall(b"/a", Written.VANISHED), "missing", "/a is no longer there: it was not packed"),
    (
        Shortfall(b"/a", Written.VANISHED, by_pattern=True),
        "not packed",
        "/a is no longer there, or not as it was: only its name and size were packed",
    ),
    (Shortfall(b"/a", Written.UNREADABLE), "missing", "/a cannot be read: only its name and size were packed"),
    (
        Shortfall(b"/a", Written.UNREADABLE, was_readable=False),
        "unreadable",
        "/a cannot be read: only its name and size were packed",
    ),
    (
        Shortfall(b"/a", Written.HOLLOW),
        "missing",
        "/a has larger holes than a bundle may hold: only its name and size were packed",
    ),
    (
        Shortfall(b"/a", Written.CHANGED, moved_to=b"/b"),
        "changed",
        "/a, renamed by the run to /b, changed after the trace: it was packed as it is now",
    ),
    (
        Shortfall(b"/a", Written.VANISHED, moved_to=b"/b", copies="/t/snapshots"),
        "missing",
        "/a, renamed by the run to /b, is no longer there: it was not packed",
    ),
    (
        Shortfall(b"/a", Written.VANISHED, copies="/t/snapshots"),
        "missing",
        "the copy of /a in /t/snapshots is not what it was: it was not packed",
    ),
    (
        Shortfall(b"/a", Written.CHANGED, problem="no space", moved_to=b"/b"),
        "missing",
        "the run changed /a, and no copy of it could be made before that (no space): it was packed as it is now",
    ),
    (
        Shortfall(b"/a", Written.UNREADABLE, problem="no space"),
        "missing",
        "the run changed /a, and no copy of it could be made before that (no space): it cannot be read now",
    ),
    (
        Shortfall(b"/a", Written.CHANGED, expected=True),
        "changed",
        "/a changed after the trace: it would be packed as it is now",
    ),
    (
        Shortfall(b"/was packed", Written.HOLLOW, expected=True),
        "missing",
        "/was packed has larger holes than a bundle may hold: only its name and size would be packed",
    ),
]


@pytest.mark.parametrize("shortfall, kind, what", CASES)
def test_each_shortfall_has_its_sentence(shortfall: Shortfall, kind: str, what: str) -> None:
    """The sentence says what happened, as far as that is known, and what was packed."""
    notice = describe_shortfall(shortfall)
    assert (notice.kind, notice.what) == (kind, what)


def test_better_advice_comes_first() -> None:
    """An archive that would help is named instead of the usual advice."""
    assert describe_shortfall(Shortfall(b"/a", Written.CHANGED, remedy="do this")).advice == "do this"
    assert describe_shortfall(Shortfall(b"/a", Written.CHANGED)).advice == "trace again to have it as the run finds it"


def test_files_of_one_kind_share_a_notice() -> None:
    """The first is named, the others are counted."""
    assert describe_touched([b"/a"]).what.startswith("/a was touched")
    assert describe_touched([b"/a", b"/b", b"/c"]).what.startswith("/a and 2 more files were touched")
    unkept = {"user.x": (b"/a", 1), "trusted.y": (b"/b", 3)}
    assert describe_unkept(unkept).what == (
        "extended attributes that are not packed: trusted.y of /b and 2 more files, user.x of /a"
    )
