"""The test files of diffoscope, two of each of its formats: each pair is told apart, with a place.

They are in its source package, which `scripts/test` fetches; diffoscope itself is not needed.
"""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrace.verify.judging.judging import Judging, compare_bytes
from rtrace.verify.kinds.model import Rule

SOURCE = Path(__file__).resolve().parents[2] / ".bench/diffoscope-source"
EQUAL = {
    "test1.debug": "debug information",
    "test1_meta.jpg": "text, times",
    "text_endings1": "ends of lines",
}
"""Pairs that say the same, and what they differ in."""


def find_pairs() -> Iterator[tuple[tarfile.TarFile, str, str]]:
    """Yield the pairs in the source package: names that differ in nothing but 1 and 2."""
    packages = sorted(SOURCE.glob("diffoscope-*.tar.gz"))
    if not packages:
        pytest.skip("needs the source package of diffoscope")
    with tarfile.open(packages[0]) as package:
        names = {name for name in package.getnames() if "/tests/data/" in name and not name.endswith("_diff")}
        for name in sorted(names):
            folder, _, last = name.rpartition("/")
            if not folder.endswith("/data"):
                continue
            for place, letter in enumerate(last):
                other = f"{folder}/{last[:place]}2{last[place + 1 :]}"
                if letter == "1" and other in names:
                    yield package, name, other
                    break


def test_each_pair_is_told_apart() -> None:
    """At least 68 formats; what says the same is equal, and told apart by its bytes."""
    seen = 0
    for package, one, other in find_pairs():
        expected, found = package.extractfile(one), package.extractfile(other)
        assert expected is not None
        assert found is not None
        names = (os.path.basename(one).encode(), os.path.basename(other).encode())
        judgement = Judging().judge(expected, found, Rule(), names)  # type: ignore[arg-type]
        ignored = EQUAL.get(os.path.basename(one))
        assert judgement.likeness == ("equal" if ignored else "different"), (one, judgement)
        if ignored:
            assert ignored in ", ".join(judgement.ignored)
            judgement = compare_bytes(expected, found)  # type: ignore[arg-type]
        assert judgement.likeness == "different"
        assert judgement.place, one
        assert judgement.expected != judgement.found, one
        seen += 1
    assert seen >= 68
