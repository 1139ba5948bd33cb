"""`rtrace check` names the first bytes that are not what was packed: the place is right, and no wider than need be."""

import gzip
import itertools
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_samples import Sample, make_bundle
from fuzz.reprozip_sealing import seal_reprozip
from fuzz.sections import join, split
from fuzz.seeds import make_seeds
from rtrace.bundle import members
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.operations.check import check_bundle

CHECKOUT = Path(__file__).resolve().parents[2]
BLOCK = 512
SLOW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VERSION_DIGIT = BLOCK + len(members.VERSION_TEXT) - 2


@dataclass(frozen=True)
class Region:
    """A part of the file, and how many bytes wide the place may be that is told for damage in it."""

    first: int
    last: int
    width: int


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A bundle with every kind of entry, and data of several frames."""
    return make_bundle(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def regions(sample: Sample) -> list[Region]:
    """All parts of the sample: headers, contents, paddings, frames, seek table and end."""
    found: list[Region] = []
    with tarfile.open(sample.path) as outer, Bundle(sample.path, sample.path.open("rb")) as bundle:
        offsets = bundle._archive._offsets
        for member in outer:
            start, end = member.offset_data, member.offset_data + member.size
            exact = member.name in {members.VERSION, members.IDENTITY}
            found.append(Region(member.offset, start - 1, BLOCK))
            if member.name == members.DATA:
                frames = itertools.pairwise(offsets)
                found += [Region(start + first, start + last - 1, last - first) for first, last in frames]
                found.append(Region(start + offsets[-1], end - 1, member.size - offsets[-1]))
            else:
                found.append(Region(start, end - 1, 1 if exact else member.size))
            padding = -member.size % BLOCK
            if padding:
                found.append(Region(end, end + padding - 1, padding))
        found.append(Region(found[-1].last + 1, sample.path.stat().st_size - 1, 2 * BLOCK))
    assert [region.first for region in found[1:]] == [region.last + 1 for region in found[:-1]]
    return found


@SLOW
@given(st.integers(0, 1000), st.integers(0, 1 << 40), st.integers(1, 255))
def test_one_changed_byte_is_placed(sample: Sample, regions: list[Region], part: int, place: int, change: int) -> None:
    """Wherever one byte changes, the place that is told has it in it, and is not wider than that part of the file."""
    region = regions[part % len(regions)]
    position = region.first + place % (region.last - region.first + 1)
    content = bytearray(sample.path.read_bytes())
    content[position] ^= change
    changed = sample.path.with_name("placed.rpz")
    changed.write_bytes(content)
    checked = check_bundle(changed)
    assert checked.problem is not None
    if checked.first is None or checked.last is None:  # a version that may be that of a later rtrace
        assert position == VERSION_DIGIT
        return
    assert checked.first <= position <= checked.last
    assert checked.last - checked.first < region.width


@SLOW
@given(st.integers(0, 1 << 40), st.integers(1, 255))
def test_any_changed_byte_is_found(sample: Sample, place: int, change: int) -> None:
    """The same for positions drawn evenly from the whole file."""
    content = bytearray(sample.path.read_bytes())
    position = place % len(content)
    content[position] ^= change
    changed = sample.path.with_name("any.rpz")
    changed.write_bytes(content)
    checked = check_bundle(changed)
    assert checked.problem is not None
    assert position == VERSION_DIGIT or (checked.first or 0) <= position <= (checked.last or 0)


@SLOW
@given(st.integers(0, 1 << 40))
def test_a_cut_is_placed(sample: Sample, place: int) -> None:
    """A bundle that ends too early is bad from the byte on that is missing first."""
    whole = sample.path.read_bytes()
    length = 1 + place % (len(whole) - 1)
    cut = sample.path.with_name("cut.rpz")
    cut.write_bytes(whole[:length])
    checked = check_bundle(cut)
    assert "is cut off" in (checked.problem or "")
    assert checked.first == length
    assert length <= (checked.last or 0) < len(whole)


@SLOW
@given(st.binary(min_size=1, max_size=3000))
def test_appended_bytes_are_placed(sample: Sample, more: bytes) -> None:
    """What was put behind a bundle is told from its first byte to its last, zeros included."""
    whole = sample.path.read_bytes()
    longer = sample.path.with_name("longer.rpz")
    longer.write_bytes(whole + more)
    checked = check_bundle(longer)
    assert (checked.first, checked.last) == (len(whole), len(whole) + len(more) - 1)


@pytest.mark.parametrize("plan", ["", "1", "z", "g", "b", "x", "te", "B", "X", "U", "1g", "1b", "1x", "zo"])
def test_bundles_of_reprozip_are_checked(plan: str, tmp_path: Path) -> None:
    """Whole bundles of every version and container are whole, with a note; cut off anywhere they are not."""
    parts = split(next(make_seeds("reprozip", CHECKOUT)))
    content = seal_reprozip(join({**parts, "plan": plan.encode()}))
    path = tmp_path / "x.rpz"
    path.write_bytes(content)
    checked = check_bundle(path)
    assert checked.problem is None
    assert "ReproZip keeps no digests" in (checked.note or "")
    last = len(content.rstrip(b"\0"))
    for length in {*range(1, last, max(1, last // 40)), last - 1}:
        path.write_bytes(content[:length])
        problem = check_bundle(path).problem
        assert problem is not None
        assert "x.rpz" in problem


@pytest.mark.parametrize("plan", ["g", "b", "x", "1g", "1b", "1x"])
def test_a_changed_byte_of_a_compressed_bundle_of_reprozip_is_found(plan: str, tmp_path: Path) -> None:
    """Where all of a bundle is compressed, a change of what is in it is found by the checksums of the compression.

    A change that gzip makes the same content of is none: in its header, or of a reference to other equal bytes.
    """
    parts = split(next(make_seeds("reprozip", CHECKOUT)))
    content = seal_reprozip(join({**parts, "plan": plan.encode()}))
    path = tmp_path / "x.rpz"
    found = 0
    for position in range(12, len(content), max(1, len(content) // 60)):
        changed = bytearray(content)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        if check_bundle(path).problem is None:
            assert plan.endswith("g")
            assert gzip.decompress(bytes(changed)) == gzip.decompress(content)
        else:
            found += 1
    assert found > 30
