"""Names that a record looks at are told apart as a regular expression would, which takes longer to compile."""

import re

from hypothesis import given
from hypothesis import strategies as st

from rtrace.record.ids import is_id, new_id
from rtrace.record.taking.libraries import is_shared_object
from rtrace.record.taking.programs import find_source

SHARED = re.compile(rb"[^/]+\.so(?:\.[0-9][0-9A-Za-z.]*)?", re.DOTALL)
COMPILED = re.compile(rb"(?P<folder>.*/)__pycache__/(?P<name>[^/]+?)\.[^/.]+(?:\.opt-\d)?\.pyc", re.DOTALL)
SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def join(*parts: bytes) -> st.SearchStrategy[bytes]:
    """Return texts of some parts in any order."""
    return st.lists(st.sampled_from(parts), max_size=8).map(b"".join)


@given(join(b"lib", b".so", b".", b"1", b"a", b"-", b"\n", b"\xe9"))
def test_a_shared_object_is_known_by_its_name(name: bytes) -> None:
    """With its version, or without."""
    assert is_shared_object(name) == (SHARED.fullmatch(name) is not None)


@given(join(b"m", b".", b"cpython-311", b".opt-1", b".opt-x", b".pyc", b".py", b"\n").map(b"/a/__pycache__/".__add__))
def test_the_source_of_a_compiled_file_is_known_by_its_name(path: bytes) -> None:
    """As Python names it."""
    found = COMPILED.fullmatch(path)
    assert find_source(path) == (found and found["folder"] + found["name"] + b".py")


@given(st.lists(st.sampled_from(("0123abcd", "4567", "89ab", "0123456789ab", "-", "G", "A", "\n")), max_size=9))
def test_an_identifier_is_known_by_its_shape(parts: list[str]) -> None:
    """Whatever is made of its parts."""
    for text in ("".join(parts), "-".join(parts), new_id(), new_id().upper(), new_id() + "\n"):
        assert is_id(text) == (SHAPE.fullmatch(text) is not None)
