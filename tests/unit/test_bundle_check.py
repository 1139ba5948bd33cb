"""`rtrace check`: a change of any byte is found, and its place told."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_samples import Sample, make_bundle
from rtrace.bundle import members
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.operations.check import Checked, check_bundle


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A bundle with every kind of entry."""
    return make_bundle(tmp_path_factory.mktemp("sample"))


def test_a_whole_bundle_is_whole(sample: Sample) -> None:
    """Nothing is found in a bundle as it was packed, and its identity is what packing told."""
    assert check_bundle(sample.path) == Checked(sample.identity)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_changed_byte_is_found(sample: Sample, data: st.DataObject) -> None:
    """Wherever one byte changes, the bundle is not whole, and the range that is told has the byte in it."""
    content = bytearray(sample.path.read_bytes())
    with Bundle(sample.path, sample.path.open("rb")) as bundle:
        names = [name for name in members.MEMBERS if name != members.DATA]
        edges = [bundle.find_member(name).offset for name in members.MEMBERS]
        small = st.sampled_from(names).flatmap(
            lambda name: st.integers(
                bundle.find_member(name).offset - 512, bundle.find_member(name).offset + bundle.find_member(name).size
            )
        )
        position = data.draw(st.integers(0, len(content) - 1) | small | st.sampled_from(edges))
    content[position] ^= data.draw(st.integers(1, 255))
    changed = sample.path.with_name("changed.rpz")
    changed.write_bytes(content)
    checked = check_bundle(changed)
    assert checked.problem is not None
    assert checked.problem.startswith(f"{changed} is ")
    if checked.first is not None and checked.last is not None:
        assert checked.first <= position <= checked.last


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_damaged_data_is_told_frame_by_frame(sample: Sample, frame: int) -> None:
    """Of the data, only the frame with the damage is told, not all of it."""
    content = bytearray(sample.path.read_bytes())
    with Bundle(sample.path, sample.path.open("rb")) as bundle:
        data = bundle.find_member(members.DATA)
        offsets = bundle._archive._offsets
    first, last = (data.offset + offsets[number] for number in (frame, frame + 1))
    content[(first + last) // 2] ^= 1
    changed = sample.path.with_name("frame.rpz")
    changed.write_bytes(content)
    checked = check_bundle(changed)
    assert (checked.first, checked.last) == (first, last - 1)


def test_a_bundle_without_an_identity_is_read(sample: Sample) -> None:
    """The first bundles do not say what their manifest's digest is; they are whole all the same."""
    content = sample.path.read_bytes()
    with Bundle(sample.path, sample.path.open("rb")) as bundle:
        begin = bundle.find_member(members.IDENTITY).offset - 512
        end = bundle.find_member(members.FILES).offset - 512
    old = sample.path.with_name("old.rpz")
    old.write_bytes(content[:begin] + content[end:])
    assert check_bundle(old) == Checked(sample.identity)


@pytest.mark.parametrize("left", [0, 100, 600, 2000, -1, -1024])
def test_a_cut_bundle_is_not_whole(sample: Sample, left: int) -> None:
    """A bundle that ends too early is told from a whole one wherever it ends."""
    cut = sample.path.with_name("cut.rpz")
    cut.write_bytes(sample.path.read_bytes()[:left])
    assert check_bundle(cut).problem is not None
