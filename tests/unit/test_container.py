"""The outer tar of a bundle: where its members are, and which bytes are wrong where it is not as rtrace writes it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.bundle import members, tar
from rtrace.bundle.reading.container import Member, find_members, is_bundle, locate_members
from rtrace.errors import BundleError, DamagedBundleError

PATH = Path("b.rpz")
CONTENTS = st.lists(st.binary(max_size=1100), min_size=1, max_size=4)


def write(*contents: bytes, end: bytes = tar.END) -> bytes:
    """Return a container of members called 0, 1, 2 ..."""
    parts = [
        tar.header(b"%d" % number, tar.REGULAR, len(content)) + content + tar.padding(len(content))
        for number, content in enumerate(contents)
    ]
    return b"".join(parts) + end


def locate(content: bytes, count: int = 1, **limits: int) -> dict[str, Member]:
    """Find the members called 0, 1, 2 ... in a container; a limit of member 0 is called ``_0``."""
    sizes = {name[1:]: size for name, size in limits.items()}
    return locate_members(PATH, io.BytesIO(content), map(str, range(count)), sizes, {})


def damage(content: bytes, count: int = 1, **limits: int) -> tuple[str, int | None, int | None]:
    """Return what is wrong with a container, without its path, and the first and the last byte of it."""
    with pytest.raises(DamagedBundleError) as caught:
        locate(content, count, **limits)
    assert str(caught.value).startswith("b.rpz is ")
    return str(caught.value).removeprefix("b.rpz is "), caught.value.first, caught.value.last


@given(CONTENTS)
def test_members_are_found_where_they_are(contents: list[bytes]) -> None:
    """The content of every member is at its offset, with its size."""
    content = write(*contents)
    found = locate(content, len(contents))
    assert [content[member.offset : member.offset + member.size] for member in found.values()] == contents
    assert list(found) == [str(number) for number in range(len(contents))]


@given(CONTENTS, st.data())
def test_a_container_that_is_cut_is_cut_off(contents: list[bytes], data: st.DataObject) -> None:
    """Wherever it ends too early, the first byte that is not there is told, and that it is missing in a member."""
    content = write(*contents)
    length = data.draw(st.integers(0, len(content) - 1))
    sentence, first, last = damage(content[:length], len(contents))
    ends = [len(write(*contents[:number], end=b"")) for number in range(1, len(contents) + 1)]
    place = next((f"in {number}" for number, end in enumerate(ends) if length < end), "after its last member")
    assert sentence == f"cut off {place}; fetch or pack it again"
    assert first == length
    assert last is not None
    assert length <= last < len(content)


def test_how_far_a_cut_reaches() -> None:
    """What is not there reaches to the end of the header, of the member or of the container."""
    content = write(b"x" * 600)
    assert damage(content[:100])[1:] == (100, 511)
    assert damage(content[:600])[1:] == (600, 1535)
    assert damage(content[:1535])[1:] == (1535, 1535)
    assert damage(content[:1600])[1:] == (1600, 2559)


@pytest.mark.parametrize("place", [0, 99, 100, 124, 135, 148, 156, 257, 345, 511])
def test_a_header_is_as_rtrace_writes_it(place: int) -> None:
    """Any other byte in a header, those that no program reads included, makes another member of it."""
    content = bytearray(write(b"", b"x"))
    content[512 + place] ^= 1
    assert damage(bytes(content), 2) == ("damaged: where 1 should begin, something else does", 512, 1023)


@pytest.mark.parametrize(
    "field",
    [
        b"0000000000x\0",
        b"000000000 1\0",
        b"00000000008\0",
        b"           \0",
        b"\0" * 12,
        b"\xff" * 12,
        b"\x80" + b"\0" * 3 + b"\x40" + b"\0" * 7,  # 2**62: as large as that is no file
    ],
)
def test_a_size_is_a_number_of_bytes(field: bytes) -> None:
    """What is no octal number, and no size that a file can have, is refused before anything is looked for there."""
    content = write(b"x")
    content = content[:124] + field + content[136:]
    assert damage(content) == ("damaged: where 0 should begin, something else does", 0, 511)


def test_a_header_that_is_right_and_too_large_is_refused() -> None:
    """A size of 2**62 is refused even where the whole header is as it should be for that."""
    header = tar.header(b"0", tar.REGULAR, 1 << 62)
    assert damage(header + tar.END) == ("damaged: where 0 should begin, something else does", 0, 511)
    header = tar.header(b"0", tar.REGULAR, (1 << 62) - 1)
    sentence, first, last = damage(header + tar.END)
    assert (sentence, first) == ("cut off in 0; fetch or pack it again", len(header + tar.END))
    assert last == 512 + (1 << 62) - 1


def test_a_size_beyond_eight_gigabytes_is_read() -> None:
    """A size that has no room as an octal number is read as the binary one that it is then."""
    size = 1 << 33
    header = tar.header(b"0", tar.REGULAR, size)
    assert header[124] & 0x80
    assert damage(header + b"x") == ("cut off in 0; fetch or pack it again", 513, 512 + size - 1)


def test_padding_is_zeros() -> None:
    """Something between a member and the next is told with the range of the padding; a full block has none."""
    content = bytearray(write(b"x" * 500, b"y"))
    content[1023] = 1
    assert damage(bytes(content), 2) == ("damaged: there is something between 0 and what follows it", 1012, 1023)
    assert locate(write(b"x" * 512))["0"] == Member(512, 512)


def test_a_member_has_a_limit() -> None:
    """A member may be as large as its limit and no larger; one without a limit has any size."""
    content = write(b"x" * 7, b"y" * 9)
    assert len(locate(content, 2, _0=7)) == 2
    assert damage(content, 2, _0=6) == ("refused: 0 is larger than any that rtrace writes", 512, 1023)


def refuse_end(content: bytes) -> tuple[str, int | None, int | None]:
    """Return what is wrong with what follows the last member of a container whose members end at 1024."""
    return damage(write(b"x", end=content))


def test_a_container_ends_in_zeros() -> None:
    """After the last member come two blocks of zeros, and nothing more."""
    wrong = "damaged: there is something else after its last member instead of the zeros that end it"
    more = "damaged: there is something after its last member"
    cut = "cut off after its last member; fetch or pack it again"
    end = 1024 + len(tar.END) - 1
    assert refuse_end(b"x" + tar.END[1:]) == (wrong, 1024, end)
    assert refuse_end(tar.END[:-1] + b"x") == (wrong, 1024, end)
    assert refuse_end(b"\0x") == (wrong, 1024, 1025)
    assert refuse_end(tar.END + b"\0") == (more, end + 1, end + 1)
    assert refuse_end(tar.END + b"xyz") == (more, end + 1, end + 3)
    assert refuse_end(b"") == (cut, 1024, end)
    assert refuse_end(tar.END[:-1]) == (cut, end, end)


VERSION = tar.header(members.VERSION.encode(), tar.REGULAR, len(members.VERSION_TEXT))
BEGIN = VERSION + members.VERSION_TEXT + tar.padding(len(members.VERSION_TEXT))


def refuse_version(content: bytes) -> BundleError:
    """Return how a file is refused that is no bundle of this version."""
    with pytest.raises(BundleError) as caught:
        find_members(PATH, io.BytesIO(content))
    return caught.value


def make_version(text: bytes, size: int | None = None) -> bytes:
    """Return the beginning of a bundle of another version."""
    header = tar.header(members.VERSION.encode(), tar.REGULAR, len(text) if size is None else size)
    return header + text + tar.padding(len(text))


def test_a_bundle_is_known_by_its_beginning() -> None:
    """The name of its first member and the beginning of its version make a bundle, of any version."""
    assert is_bundle(io.BytesIO(BEGIN))
    assert is_bundle(io.BytesIO(make_version(members.VERSION_PREFIX + b"7\n")))
    assert is_bundle(io.BytesIO(BEGIN[:100] + b"other" + BEGIN[105:]))
    for place in (0, 99, 512, 512 + len(members.VERSION_PREFIX) - 1):
        assert not is_bundle(io.BytesIO(BEGIN[:place] + bytes([BEGIN[place] ^ 1]) + BEGIN[place + 1 :]))
    assert not is_bundle(io.BytesIO(BEGIN[: 512 + len(members.VERSION_PREFIX) - 1]))
    assert not is_bundle(io.BytesIO(b""))


def test_a_version_that_is_newer_asks_for_an_update() -> None:
    """One number more is newer; a number that is no number, or longer than any, is another file."""
    newer = members.BUNDLE_FORMAT + 1
    assert str(refuse_version(make_version(members.VERSION_PREFIX + b"%d\n" % newer))) == (
        f"b.rpz was made by a newer rtrace (bundle format {newer}); update rtrace"
    )
    assert "bundle format 999999999)" in str(refuse_version(make_version(members.VERSION_PREFIX + b"9" * 9 + b"\n")))
    for text in (b"9" * 10, b"0", b"-1", b"x", b""):
        assert "newer" not in str(refuse_version(make_version(members.VERSION_PREFIX + text + b"\n")))


def test_another_file_is_not_a_bundle() -> None:
    """Of an empty file, and of any other, it is said what it is not."""
    assert str(refuse_version(b"")) == "b.rpz is empty, not a bundle"
    wrong = "b.rpz is not a bundle; `rtrace pack` makes one"
    for content in (b"x", bytes(2048), b"\x7fELF" + bytes(2000), BEGIN[:100] + bytes(2048)):
        error = refuse_version(content)
        assert (str(error), isinstance(error, DamagedBundleError)) == (wrong, False)


@pytest.mark.parametrize("length", [1, 100, 511, 512, len(VERSION + members.VERSION_TEXT) - 2])
def test_a_version_that_is_cut_off(length: int) -> None:
    """A file that ends within the version is a bundle that is cut off there."""
    error = refuse_version(BEGIN[:length])
    assert isinstance(error, DamagedBundleError)
    assert str(error) == f"b.rpz is cut off in {members.VERSION}; fetch or pack it again"
    assert (error.first, error.last) == (length, len(VERSION + members.VERSION_TEXT) - 1)


def test_a_version_that_is_damaged() -> None:
    """Up to sixteen bytes that differ make a damaged bundle, with the first and the last of them; more another file."""
    for count, last in ((1, 7), (16, 22)):
        content = bytearray(BEGIN + tar.END)
        for place in range(7, 7 + count):
            content[place] ^= 1
        error = refuse_version(bytes(content))
        assert isinstance(error, DamagedBundleError)
        assert str(error) == "b.rpz is damaged: its version is not what was packed"
        assert (error.first, error.last) == (7, last)
    content = bytearray(BEGIN + tar.END)
    for place in range(7, 24):
        content[place] ^= 1
    assert not isinstance(refuse_version(bytes(content)), DamagedBundleError)


def test_identity_and_records_may_be_absent() -> None:
    """The first bundles have none: what follows comes where they would be, and is found there."""
    texts = dict.fromkeys(members.MEMBERS, b"x") | {members.VERSION: members.VERSION_TEXT}
    texts[members.IDENTITY] = b"y" * members.IDENTITY_SIZE
    for absent in ((), (members.IDENTITY,), (members.RECORDS,), tuple(members.OPTIONAL)):
        names = [name for name in members.MEMBERS if name not in absent]
        content = b"".join(
            tar.header(name.encode(), tar.REGULAR, len(texts[name])) + texts[name] + tar.padding(len(texts[name]))
            for name in names
        )
        copies = ["".join(list(name)) for name in members.MEMBERS]  # equal names, and not the same objects
        for found in (
            find_members(PATH, io.BytesIO(content + tar.END)),
            locate_members(PATH, io.BytesIO(content + tar.END), copies, {}, members.OPTIONAL),
        ):
            assert {name: content[place.offset : place.offset + place.size] for name, place in found.items()} == {
                name: texts[name] for name in names
            }
