"""Rules that are offered for what differs between two runs: enough to make the two alike, and nothing wider."""

from pathlib import Path

import pytest

from rtrace.manifest.model import Comparison
from rtrace.operations.offering.offers import find_offer
from rtrace.verify.judging.judging import Judging
from rtrace.verify.kinds.model import Judgement, Rule
from rtrace.verify.rules import make_rule

CASES: dict[str, tuple[bytes, bytes, Comparison | None]] = {
    "a date": (b"Date: 1\nx\n", b"Date: 2\nx\n", Comparison(ignore=("^Date: ",))),
    "two lines": (b"pid 17\nx\nat 0x5f11\n", b"pid 18\nx\nat 0x5e22\n", Comparison(ignore=("^pid ", "^at 0x"))),
    "the last digits": (b"loss 0.123456781\n", b"loss 0.123456789\n", Comparison(tolerance=1e-6)),
    "a value": (
        b'{"m": {"at": "a"}, "b": [1]}',
        b'{"m": {"at": "b"}, "b": [1]}',
        Comparison(ignore=("^/m/at(?:/|$)",)),
    ),
    "values of a list": (
        b'{"a": [{"id": "p"}, {"id": "q"}]}',
        b'{"a": [{"id": "r"}, {"id": "s"}]}',
        Comparison(ignore=(r"^/a/\d+/id(?:/|$)",)),
    ),
    "a column": (b"n,who\n1,x\n2,y\n", b"n,who\n1,z\n2,w\n", Comparison(ignore=("^who$",))),
    "order": (b"a x\nb y\nc z\n", b"c z\na x\nb y\n", Comparison(unordered=True)),
    "bytes": (b"\0\1", b"\0\2", None),
    "a text": (b"17\n", b"18\n", None),
    "large and wide apart": (b"x 0.5\n", b"y 0.9\n", None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rule_is_enough(name: str, tmp_path: Path) -> None:
    """It makes the two alike, and no other one does it with less."""
    old, new, compare = CASES[name]
    paths = tmp_path / "old", tmp_path / "new"
    for path, content in zip(paths, (old, new), strict=True):
        path.write_bytes(content)

    def judge(rule: Rule) -> Judgement:
        with paths[0].open("rb") as expected, paths[1].open("rb") as found:
            return Judging().judge(expected, found, rule, (b"out", b"out"))

    offer = find_offer(judge, *paths)
    assert offer is not None
    assert offer.compare == compare
    assert offer.where
    if compare is not None:
        assert judge(make_rule(compare, Rule())).likeness in {"equal", "close"}


def test_nothing_is_offered_where_nothing_differs(tmp_path: Path) -> None:
    """What says the same needs no rule."""
    assert find_offer(lambda _rule: Judgement("equal", "text"), tmp_path, tmp_path) is None
