"""What a freeze pins by variables, and when its clock begins."""

from __future__ import annotations

import pytest

from rtrace.freezing.model import USUAL_BEGINNING, Freeze, choose_beginning
from rtrace.freezing.starting import choose_freeze
from rtrace.freezing.variables import list_frozen


@pytest.mark.parametrize(
    "environ, started, expected",
    [
        ({}, None, USUAL_BEGINNING),
        ({}, 1700000000.9, 1700000000),
        ({b"SOURCE_DATE_EPOCH": b"42"}, 1700000000.9, 42),
        ({b"SOURCE_DATE_EPOCH": b""}, None, USUAL_BEGINNING),
        ({b"SOURCE_DATE_EPOCH": b"-1"}, 7.0, 7),
        ({b"SOURCE_DATE_EPOCH": b"9" * 30}, 7.0, 7),
        ({b"SOURCE_DATE_EPOCH": None}, 7.0, 7),
    ],
)
def test_the_clock_begins_as_the_environment_says(
    environ: dict[bytes, bytes | None], started: float | None, expected: int
) -> None:
    """SOURCE_DATE_EPOCH comes first, then the start of the recorded run; what cannot be a time counts for nothing."""
    assert choose_beginning(environ, started) == expected


def test_what_the_environment_says_already_stays() -> None:
    """A recorded value is the same in each replay; Python's `random` is none, and an empty one says nothing."""
    environ = {b"OMP_NUM_THREADS": b"8", b"PYTHONHASHSEED": b"random", b"MKL_NUM_THREADS": b""}
    found = list_frozen(environ, Freeze(), "x86_64")
    assert b"OMP_NUM_THREADS" not in found
    assert (found[b"PYTHONHASHSEED"], found[b"MKL_NUM_THREADS"]) == (b"0", b"1")
    assert b"PYTHONHASHSEED" not in list_frozen({b"PYTHONHASHSEED": b"7"}, Freeze(), "x86_64")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_one_cause_is_varied_and_no_other(machine: str) -> None:
    """A hash seed changes the variables of hash seeds; another machine those of threads and processors, if it can."""
    usual = list_frozen({}, Freeze(), machine)
    seeds = list_frozen({}, Freeze(varied="hash-seed", variant=3), machine)
    assert {name for name in usual if usual[name] != seeds[name]} == {b"PYTHONHASHSEED", b"PERL_HASH_SEED"}
    times = list_frozen({}, Freeze(varied="time", variant=1), machine)
    assert {name for name in usual if usual[name] != times[name]} == {b"SOURCE_DATE_EPOCH"}
    other = list_frozen({}, Freeze(varied="machine", variant=1), machine)
    assert other[b"OMP_NUM_THREADS"] == b"2"
    assert usual != other
    assert {b"PYTHONHASHSEED", b"SOURCE_DATE_EPOCH"} <= {name for name in usual if usual[name] == other.get(name)}


def test_an_environment_is_frozen_item_by_item() -> None:
    """Items that are no variables stay, and a variable is there once."""
    freeze, found = choose_freeze((b"PYTHONHASHSEED=random", b"odd", b"A=b=c"))
    assert freeze.began == USUAL_BEGINNING
    assert found[:2] == (b"odd", b"A=b=c")
    assert [item for item in found if item.startswith(b"PYTHONHASHSEED")] == [b"PYTHONHASHSEED=0"]
