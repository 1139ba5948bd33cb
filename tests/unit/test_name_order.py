"""Verify says that the order of names may be what differs: a file system gives them in its own."""

from __future__ import annotations

import pytest

from bundle_making import make_run
from rtrace.bundle.entry import Entry, FileType
from rtrace.verify.name_order import tell_order
from rtrace.verify.verdicts import Line

RUN = make_run()
HOME = RUN.workingdir.rstrip(b"/")
FILES = tuple(Entry(HOME + name, FileType.REGULAR, 0o644, 0, 0, 0, placeholder=True) for name in (b"/d/a", b"/d/b"))
LISTED = Entry(HOME + b"/d", FileType.DIRECTORY, 0o755, 0, 0, 0, reason="listed")
SAME = Line("different", "run1", None, "same size (36 bytes)", "stdout", reasons=("content",))


def test_listed_folder_is_named_where_the_size_is_the_same() -> None:
    """What has the right size after a run listed a folder may be the same in another order."""
    (said,) = tell_order([SAME], [RUN], [LISTED, *FILES])
    assert "another order" in said
    assert (HOME + b"/d").decode() in said


@pytest.mark.parametrize(
    "line, entries",
    [
        (Line("same", "run1", None, "", "stdout"), [LISTED, *FILES]),
        (Line("different", "run1", None, "3 bytes, was 4", "stdout", reasons=("size",)), [LISTED, *FILES]),
        (SAME, [LISTED, FILES[0]]),
        (SAME, [LISTED._replace(reason="looked up"), *FILES]),
        (
            SAME,
            [LISTED._replace(path=b"/usr/lib"), *(file._replace(path=b"/usr/lib" + file.path[-2:]) for file in FILES)],
        ),
    ],
)
def test_other_differences_have_other_reasons(line: Line, entries: list[Entry]) -> None:
    """Nothing is said of what has another size, or where nothing with two names in it was listed."""
    assert tell_order([line], [RUN], entries) == ()
