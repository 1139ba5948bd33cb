"""`rtrace pack --anonymous`: the names of user and host are nowhere in the bundle, and its replay is the same."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_samples import MANIFEST, RUN
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.writing.item import Item
from rtrace.privacy.anonymous.anonymizer import Anonymizer
from rtrace.privacy.anonymous.attribute_ids import map_ids
from rtrace.privacy.anonymous.ids import assign_ids
from rtrace.privacy.anonymous.order import sort_items
from rtrace.privacy.anonymous.plan import plan_anonymity
from rtrace.privacy.anonymous.pseudonyms import find_homes
from rtrace.trace.schema import SCHEMA

ACCESS_LIST = b"system.posix_acl_access"


@pytest.fixture(scope="module")
def anonymizer(tmp_path_factory: pytest.TempPathFactory) -> Anonymizer:
    """What makes a bundle anonymous of somebody called alice at a machine of an institute."""
    run = replace(
        RUN,
        hostname="lab7x.chem.example.org",
        environ=((b"USER", b"alice"), (b"HOST", b"pi"), (b"HOME", b"/home/alice"), (b"LOGNAME", b"alice-smith")),
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO paths VALUES (1, CAST('/home/userx' AS BLOB))")
        return Anonymizer(plan_anonymity(connection, (run,), (), tmp_path_factory.mktemp("streams")))


def test_a_name_of_two_letters_is_replaced_where_it_stands_alone(anonymizer: Anonymizer) -> None:
    """Such a name is an ordinary word of programs: it is replaced in the record of a run, and not in files."""
    run = replace(RUN, hostname="pi", environ=((b"HOST", b"pi"), (b"X", b"pies"), (b"SSH_CLIENT", b"192.0.2.7 5 22")))
    rewritten = anonymizer.anonymize_manifest(replace(MANIFEST, runs=(run,))).runs[0]
    assert rewritten.hostname == "ho"
    assert rewritten.environ == ((b"HOST", b"ho"), (b"X", b"pies"), (b"SSH_CLIENT", b"redacted"))
    assert anonymizer.names.replace(b"math.pi") == b"math.pi"


@pytest.mark.parametrize(
    "text, wanted",
    [
        (b"/home/alice/x", b"/home/usery/x"),  # userx is somebody else's
        (b"malice and alice2", b"malice and alice2"),
        (b"by Alice, ALICE", b"by Usery, USERY"),
        (b"alice-smith@lab7x.chem.example.org", b"userxxxxxxx@hostx.xxxx.xxxxxxx.xxx"),
    ],
)
def test_names_are_replaced_as_words_at_the_same_length(anonymizer: Anonymizer, text: bytes, wanted: bytes) -> None:
    """Short names are replaced where they stand alone, in the case that they have."""
    assert anonymizer.names.replace(text) == wanted
    assert len(anonymizer.names.replace(text)) == len(text)


WORDS = [b"alice", b"ALICE", b" ", b"m", b"-smith", b"\0" * 700, b"x\n" * 400]


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.data())
def test_a_text_in_parts_is_rewritten_as_one(anonymizer: Anonymizer, words: list[bytes], data: st.DataObject) -> None:
    """Wherever parts meet, a name is replaced and found, and what is none stays."""
    text = b"".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    parts = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True) if begin < end]
    whole = anonymizer.names.replace(text)
    assert b"".join(anonymizer.names.replace_in_parts(iter(parts))) == whole
    assert anonymizer.names.occur_in(iter(parts)) == (whole != text)
    assert not anonymizer.names.occur_in(iter([whole]))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS, b"lab7x", b".chem.example.org", b"usery", b"\xff", b"/"]), max_size=20).map(
        b"".join
    )
)
def test_a_pseudonym_stays_as_it_is(anonymizer: Anonymizer, text: bytes) -> None:
    """What was rewritten once holds no name any more: rewriting it again changes nothing."""
    once = anonymizer.names.replace(text)
    assert anonymizer.names.replace(once) == once
    assert not anonymizer.names.occur_in(iter([once]))
    assert len(once) == len(text)


def test_ids_within_attributes_are_mapped() -> None:
    """Those that lists name and that a capability is bound to; what has another form stays."""
    listed = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry)
        for entry in [(1, 6, 2**32 - 1), (2, 6, 20), (2, 4, 30), (8, 4, 20), (32, 4, 2**32 - 1)]
    )
    mapped = map_ids(ACCESS_LIST, listed, lambda number: 50 - number)
    assert list(struct.iter_unpack("<HHI", mapped[4:])) == [
        (1, 6, 2**32 - 1),
        (2, 4, 20),
        (2, 6, 30),
        (8, 4, 30),
        (32, 4, 2**32 - 1),
    ]
    capability = struct.pack("<6I", 0x03000000, 1, 0, 0, 0, 20)
    assert map_ids(b"security.capability", capability, lambda _: 7) == capability[:-4] + struct.pack("<I", 7)
    for name, value in ((b"user.x", listed), (ACCESS_LIST, listed[:-1]), (b"security.capability", capability[:20])):
        assert map_ids(name, value, lambda _: 7) == value


def test_homes_of_other_people_are_found() -> None:
    """By their path; names that tell of nobody are not people."""
    paths = [b"/home/bob/x", b"/home/bob", b"/home/ubuntu/x", b"/home", b"/srv/home/eve", b"/home/ann/y"]
    assert find_homes(paths) == (b"/home/ann", b"/home/bob")


def test_ids_of_people_are_counted_anew(anonymizer: Anonymizer) -> None:
    """In the order in which they come up; those of the system and of nobody stay."""
    run = replace(RUN, uid=20_001, gid=30_002, groups=(4, 20_001, 40_003, 65_534))
    rewritten = anonymizer.anonymize_manifest(replace(MANIFEST, runs=(run,))).runs[0]
    known = len(assign_ids((RUN.uid, RUN.gid, *RUN.groups)))
    numbers = [1000 + known + place for place in range(3)]
    assert (rewritten.uid, rewritten.gid) == (numbers[0], numbers[1])
    assert rewritten.groups == (4, numbers[0], numbers[2], 65_534)


def make_item(path: bytes, link: bytes | None = None) -> Item:
    """Return the item of a file, or of a further hard link to one."""
    entry = Entry(path=path, type=FileType.REGULAR, mode=0o644, uid=0, gid=0, mtime_ns=7, link=link)
    return Item(entry, None if link else path, attributes=())


def test_items_are_in_the_order_of_their_new_paths() -> None:
    """The first name of a file holds its content, with the time that it had under the name it was read from."""
    names = {b"/a": b"/z", b"/b": b"/b", b"/c": b"/a"}
    items = sort_items([make_item(b"/a"), make_item(b"/b"), make_item(b"/c", b"/a")], names.__getitem__)
    assert [item.entry.path for item in items] == [b"/c", b"/b", b"/a"]
    assert [item.entry.link for item in items] == [None, None, b"/c"]
    assert [item.source for item in items] == [b"/a", b"/b", None]
    assert [item.mtime_ns for item in items] == [7, None, None]
