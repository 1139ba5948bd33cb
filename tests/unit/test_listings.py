"""What people print of folders and of files that they only look at: totals, sizes, blocks, links, as in the run."""

from __future__ import annotations

import os

import pytest

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.index.dumping import dump_entry
from rtrace.bundle.index.lines import load_entries
from rtrace.bundle.reading.validation import validate_entries
from rtrace.errors import BundleError
from rtrace_unpackers.files.placeholders import BLOCK, PLACEHOLDERS_LIMIT, choose_roomy, tell_unreserved


def make_placeholder(name: str, size: int, blocks: int | None) -> Entry:
    """Make an entry."""
    path = os.fsencode(f"/{name}")
    return Entry(path, FileType.REGULAR, 0o644, 0, 0, 0, size, placeholder=True, blocks=blocks)


def test_huge_files_that_were_looked_at_fill_no_disk() -> None:
    """The smallest files get their room up to a limit, and up to a part of what is free; the rest is told."""
    huge = make_placeholder("huge", 1 << 40, (1 << 40) // BLOCK)
    small = make_placeholder("small", 5000, 16)
    unknown = make_placeholder("unknown", 5000, None)
    assert choose_roomy([huge, small, unknown], 1 << 50) == {small}
    assert choose_roomy([huge, small, unknown], 8191) == set()
    many = [make_placeholder(str(number), 1 << 28, (1 << 28) // BLOCK) for number in range(9)]
    assert len(choose_roomy(many, 1 << 50)) == PLACEHOLDERS_LIMIT >> 28
    assert tell_unreserved([]) == ()
    (said,) = tell_unreserved([huge, small])
    assert "/huge and 1 more" in said
    assert "du" in said


@pytest.mark.parametrize("blocks", [None, 0, 16])
def test_room_of_a_placeholder_is_written_and_read(blocks: int | None) -> None:
    """The number of blocks is in the index of a bundle where it is known, and not where it is not."""
    entry = make_placeholder("file", 5000, blocks)
    line = dump_entry(entry, entry.size, None, None).encode()
    assert (b'"blocks":' in line) == (blocks is not None)
    assert load_entries([line]) == (entry,)


@pytest.mark.parametrize(
    "entry",
    [
        make_placeholder("negative", 1, -1),
        make_placeholder("file", 1, 8)._replace(placeholder=False, sha256="0" * 64, offset=0),
        Entry(b"/folder", FileType.DIRECTORY, 0o755, 0, 0, 0, blocks=8),
        make_placeholder("file", 1, 8)._replace(placeholder=False, blocks=None, sha256="0" * 64, offset=0, twin=b"/a"),
    ],
)
def test_room_that_is_none_is_refused(entry: Entry) -> None:
    """What is no placeholder, or claims less than nothing, is damage or an attack."""
    with pytest.raises(BundleError):
        validate_entries([entry])
