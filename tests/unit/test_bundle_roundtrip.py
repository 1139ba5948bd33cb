"""What is written into a bundle comes out of it."""

import gc
import hashlib
import io
import os
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_samples import MANIFEST, make_bundle
from rtrace.bundle import tar
from rtrace.bundle.data.layout import entry_header, has_content, header_size
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.index.dumping import dump_entry, dump_result
from rtrace.bundle.index.lines import load_entries, load_results
from rtrace.bundle.members import FRAME_SIZE
from rtrace.bundle.reading import bundle_reader as reader
from rtrace.bundle.reading import member_reader
from rtrace.errors import BundleError
from rtrace.opening import open_bundle

NAMES = st.binary(min_size=1, max_size=250).filter(
    lambda name: not set(name) & set(b"/\0") and name not in {b".", b".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: b"/" + b"/".join(names))


def test_every_kind_of_entry_comes_back(tmp_path: Path) -> None:
    """Entries, their content, results, manifest and trace come back as they were written."""
    bundle = make_bundle(tmp_path)
    with open_bundle(bundle.path) as opened:
        assert [entry.path for entry in opened.entries] == [item.entry.path for item in bundle.items]
        contents = {entry.path: b"".join(parts) for entry, parts in opened.stream_data()}
        assert {path: content for path, content in contents.items() if content} == bundle.contents
        assert opened.results == bundle.results
        assert opened.identity == bundle.identity
        assert opened.manifest.runs == MANIFEST.runs
        opened.extract_trace(tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == bundle.trace.read_bytes()
        opened.check()


def test_one_file_can_be_read_alone(tmp_path: Path) -> None:
    """A file comes back by its path, from the middle of a frame and across frames, and so does a hard link to it."""
    bundle = make_bundle(tmp_path)
    with open_bundle(bundle.path) as opened:
        for path, content in bundle.contents.items():
            assert b"".join(opened.read_file(path)) == content
        assert b"".join(opened.read_file(b"/data/zz-link")) == bundle.contents[b"/data/small"]


def test_content_skipped_by_the_caller_is_skipped_in_the_stream(tmp_path: Path) -> None:
    """A caller that takes no content, or part of one, still gets every entry and whole contents afterwards."""
    bundle = make_bundle(tmp_path)
    with open_bundle(bundle.path) as opened:
        seen = [entry.path for entry, _ in opened.stream_data()]
        assert seen == [entry.path for entry in opened.entries]
        last = b""
        for entry, parts in opened.stream_data():
            if entry.path == b"/data/large":
                next(parts)
            elif entry.path == b"/data/small":
                last = b"".join(parts)
        assert last == bundle.contents[b"/data/small"]


def test_files_that_are_not_there_and_placeholders_are_told(tmp_path: Path) -> None:
    """Content that the bundle does not have is refused in a sentence that names the file."""
    bundle = make_bundle(tmp_path)
    with open_bundle(bundle.path) as opened:
        with pytest.raises(BundleError, match="holds no /nowhere"):
            list(opened.read_file(b"/nowhere"))
        with pytest.raises(BundleError, match="only the size of /data/placeholder"):
            list(opened.read_file(b"/data/placeholder"))


def test_same_input_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time zone, umask and the number of cores leave no trace in a bundle."""
    first = make_bundle(tmp_path / "a").path.read_bytes()
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setattr("rtrace.bundle.data.archive.cores", lambda: 7)
    umask = os.umask(0o077)
    try:
        second = make_bundle(tmp_path / "b").path.read_bytes()
    finally:
        os.umask(umask)
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def test_a_bundle_opened_twice_is_understood_once(tmp_path: Path) -> None:
    """Who opens a bundle again, as to unpack it, gets the manifest that was read; and not when it is another."""
    path = make_bundle(tmp_path).path
    with open_bundle(path) as first, open_bundle(path) as again:
        assert again.manifest is first.manifest
    other = path.read_bytes().replace(b"hostname: ", b"hostname: x", 1)
    path.write_bytes(other)
    with pytest.raises(BundleError, match=r"damaged|identity"), open_bundle(path):
        pass


def test_a_bundle_opened_twice_is_proven_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens a bundle that somebody has open has the same entries; when nobody has, they are looked at again."""
    bundle = make_bundle(tmp_path)
    with open_bundle(bundle.path) as opened, open_bundle(bundle.path) as another:
        entries = opened.entries
        assert another.entries is entries
        assert list(another.iterate_entries()) == list(entries)
        assert {path: b"".join(another.read_file(path)) for path in bundle.contents} == bundle.contents
        monkeypatch.setattr(reader, "check_data_size", refuse)
        with open_bundle(bundle.path) as third, pytest.raises(BundleError, match="too large"):
            _ = third.entries
    del opened, another, third
    gc.collect()
    monkeypatch.undo()
    with open_bundle(bundle.path) as later:
        assert later.entries == entries
        assert later.entries is not entries


def refuse(_end: int, _size: int) -> None:
    """Stand for a file that is too small for the data that its index tells of."""
    raise BundleError("too large")


def test_the_manifest_is_found_by_the_standard_library(tmp_path: Path) -> None:
    """The outer tar is plain: the module tarfile lists the members in their order, with the same stamps for all."""
    bundle = make_bundle(tmp_path)
    with tarfile.open(bundle.path) as outer:
        assert outer.getnames() == [
            "METADATA/version",
            "METADATA/manifest.yml",
            "METADATA/identity",
            "METADATA/files.jsonl.zst",
            "METADATA/results.jsonl.zst",
            "METADATA/records.jsonl.zst",
            "METADATA/written.jsonl.zst",
            "METADATA/trace.sqlite3",
            "WRITTEN.tar.zst",
            "DATA.tar.zst",
        ]
        assert {(member.mtime, member.uid, member.gid, member.mode) for member in outer} == {(0, 0, 0, 0o644)}


def test_a_bundle_that_exists_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written over, and nothing else is left beside it."""
    target = tmp_path / "bundle.rpz"
    target.write_bytes(b"mine")
    with pytest.raises(BundleError, match="exists already"):
        make_bundle(tmp_path)
    assert target.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*incomplete*"))


def test_a_bundle_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """When a source is not what its entry says, there is neither a bundle nor a part of one."""
    with pytest.raises(BundleError, match="cannot pack /data/small: it is no longer there"):
        make_bundle(tmp_path, without=b"small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sources", "trace.sqlite3"]


@settings(deadline=None)
@given(
    path=PATHS,
    kind=st.sampled_from([tar.REGULAR, tar.SYMLINK, tar.DIRECTORY, tar.FIFO, tar.HARD_LINK]),
    size=st.integers(0, 1 << 60),
    mode=st.integers(0, 0o7777),
    owner=st.tuples(st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2)),
    mtime=st.integers(-(2**33), 2**40),
    link=st.binary(max_size=300).filter(lambda link: b"\0" not in link and not link.endswith(b"/")),
)
def test_headers_say_what_they_were_made_from(
    path: bytes, kind: bytes, size: int, mode: int, owner: tuple[int, int], mtime: int, link: bytes
) -> None:
    """The standard library's tarfile reads from a header what it was made from, however long or odd the values."""
    size = size if kind == tar.REGULAR else 0
    link = link if kind in {tar.SYMLINK, tar.HARD_LINK} else b""
    header = tar.header(b"DATA" + path, kind, size, mode, owner, mtime, link)
    assert len(header) % tar.BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(header), encoding="utf-8", errors="surrogateescape") as archive:
        member = archive.next()
    assert member is not None
    assert member.name.encode("utf-8", "surrogateescape") == b"DATA" + path
    assert (member.type, member.size, member.mode, member.mtime) == (kind, size, mode, mtime)
    assert (member.uid, member.gid) == owner
    assert member.linkname.encode("utf-8", "surrogateescape") == link


@settings(deadline=None)
@given(
    path=PATHS,
    link=st.none() | PATHS,
    target=st.none() | st.binary(min_size=1),
    package=st.none() | st.text(),
    reason=st.text(),
    numbers=st.tuples(st.integers(0, 0o7777), st.integers(0), st.integers(0), st.integers()),
    placeholder=st.booleans(),
    offset=st.none() | st.integers(0),
    copy_of=st.none() | PATHS,
)
def test_entries_survive_json(
    path: bytes,
    link: bytes | None,
    target: bytes | None,
    package: str | None,
    reason: str,
    numbers: tuple[int, int, int, int],
    placeholder: bool,  # noqa: FBT001
    offset: int | None,
    copy_of: bytes | None,
) -> None:
    """A line of an index gives back the entry that it was made from, whatever bytes are in its paths."""
    entry = Entry(path, FileType.REGULAR, *numbers, 5, "d" * 64, target, link, placeholder, offset, package, reason)
    entry = entry._replace(copy_of=copy_of)
    line = dump_entry(entry, entry.size, entry.sha256, entry.offset)
    assert load_entries([line.encode()]) == (entry,)


@settings(deadline=None)
@given(path=PATHS, target=st.none() | st.binary(), kind=st.none() | st.sampled_from(FileType), run=st.text())
def test_results_survive_json(path: bytes, target: bytes | None, kind: FileType | None, run: str) -> None:
    """A line of an index gives back the result that it was made from."""
    result = Result(run, path, kind, 0o644, 3, "e" * 64, target)
    assert load_results([dump_result(result).encode()]) == (result,)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_an_index_comes_in_parts_of_any_length(cuts: list[int]) -> None:
    """Entries are the same wherever the lines are cut."""
    entries = tuple(Entry(b"/%d" % number, FileType.FIFO, 0o600, 0, 0, number) for number in range(5))
    lines = "".join(dump_entry(entry, 0, None, None) for entry in entries).encode()
    places = [0, *sorted(cuts), len(lines)]
    assert load_entries(lines[start:end] for start, end in pairwise(places)) == entries
    with pytest.raises(BundleError, match="its last line is cut off"):
        load_entries([lines, lines[:-1]])


def test_has_content_is_for_regular_files_alone() -> None:
    """Neither placeholders nor further hard links nor copies nor anything else has content in the stream."""
    regular = Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0)
    assert has_content(regular)
    assert not has_content(Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0, link=b"/b"))
    assert not has_content(Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0, placeholder=True))
    assert not has_content(Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0, copy_of=b"/b"))
    assert not has_content(Entry(b"/a", FileType.FIFO, 0o644, 0, 0, 0))
    assert FRAME_SIZE == 4 * 1024 * 1024


def test_large_indexes_are_read_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is too large to be kept before it is known says the same as one that is not."""
    sample = make_bundle(tmp_path)
    with open_bundle(sample.path) as bundle:
        small = (bundle.entries, tuple(bundle.iterate_entries()), bundle.results)
    monkeypatch.setattr(reader, "SMALL_INDEX", 0)
    monkeypatch.setattr(member_reader, "SMALL_INDEX", 0)
    with open_bundle(sample.path) as bundle:
        assert tuple(bundle.iterate_entries()) == small[1]
        assert "entries" not in vars(bundle)
        bundle.check()
        assert (bundle.entries, tuple(bundle.iterate_entries()), bundle.results) == small
        assert b"".join(bundle.read_file(b"/data/zz-link")) == b"content\n"


@pytest.mark.parametrize("length", [1, 90, 96, 97, 98, 99, 600, 4000])
@pytest.mark.parametrize("kind", list(FileType))
def test_sizes_of_headers_are_those_of_headers(kind: FileType, length: int) -> None:
    """How long a header is, is known without making it: of long names and links, and of files in many parts."""
    path, other = b"/" + b"n" * length, b"/" + b"o" * length
    entry = Entry(path, kind, 0o644, 1 << 31, 0, -1, target=other[1:] if kind is FileType.SYMLINK else None)
    entries = [entry]
    if kind is FileType.REGULAR:
        entries += [entry._replace(size=9, placeholder=True), entry._replace(link=other), entry._replace(copy_of=other)]
        for count in (0, 1, 3, 4, 5, 24, 25, 26, 46, 47):
            segments = tuple((2 * number, 1) for number in range(count))
            entries += [entry._replace(size=size, segments=segments) for size in (2 * count, 2 * count + 5)]
    for one in entries:
        assert header_size(one) == len(entry_header(one))
