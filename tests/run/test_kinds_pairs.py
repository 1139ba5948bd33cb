"""For each kind of file two that say the same with other bytes, and two that differ in one value, whose place is told.

They are made by the programs that people make them with.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from kind_pairs import TRIOS, Trio
from rtrace.verify.judging.judging import Judging
from rtrace.verify.kinds.model import Judgement, Rule


def judge(expected: Path, found: Path, rule: Rule) -> Judgement:
    """Compare two files."""
    with expected.open("rb") as one, found.open("rb") as other:
        return Judging().judge(one, other, rule, (expected.name.encode(), found.name.encode()))


def find_missing(trio: Trio) -> list[str]:
    """Return what a kind needs and is not there."""
    return [name for name in trio.needs if shutil.which(name) is None and find_spec(name) is None]


@pytest.mark.parametrize("name", TRIOS)
def test_pairs_that_programs_make(name: str, tmp_path: Path) -> None:
    """Either way round, with and without a tolerance that is small; bytes that differ are never called the same."""
    trio = TRIOS[name]
    missing = find_missing(trio)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    trio.make(tmp_path)
    one, equal, other = (tmp_path / f"{word}{trio.ending}" for word in ("one", "equal", "other"))
    assert one.read_bytes() != equal.read_bytes()
    for rule in (Rule(), Rule(tolerance=1e-9)):
        for expected, found in ((one, equal), (equal, one)):
            judgement = judge(expected, found, rule)
            assert judgement.likeness == "equal", judgement
            assert judgement.ignored
            assert trio.kind in judgement.kind
        for expected, found in ((one, other), (other, equal)):
            judgement = judge(expected, found, rule)
            assert judgement.likeness == "different", judgement
            assert re.match(trio.place, judgement.place.removeprefix("member a, ")), judgement
            assert judgement.expected != judgement.found
            assert trio.kind in judgement.kind


def test_there_are_enough_pairs() -> None:
    """Each trio is two pairs."""
    assert len(TRIOS) * 2 >= 60
