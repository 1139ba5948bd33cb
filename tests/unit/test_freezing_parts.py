"""The parts of a freeze that need no program: its clock, its lists of names, its turns, a program's beginning."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from rtrace.freezing.beginning import AT_IGNORE, AT_NULL, AT_RANDOM, AT_SYSINFO_EHDR, freeze_beginning
from rtrace.freezing.clock import LOOKS, SECOND, STEPS, Clock, find_base
from rtrace.freezing.listings import Listings
from rtrace.freezing.processes import FrozenProcess
from rtrace.freezing.turns import REVERSED, Turns

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="Linux alone lists folders like this")


class Stack:
    """A stack as memory: what lies above an address."""

    def __init__(self, base: int, content: bytes) -> None:
        self.base = base
        self.content = bytearray(content)

    def read(self, address: int, size: int) -> bytes:
        """Return what is there; nothing beyond the end."""
        return bytes(self.content[address - self.base : address - self.base + size])

    def write(self, address: int, content: bytes) -> None:
        """Change what is there."""
        self.content[address - self.base : address - self.base + len(content)] = content


@pytest.mark.parametrize("variables", [0, 3, 2000])
def test_a_program_begins_without_the_vdso_and_with_given_bytes(variables: int) -> None:
    """However long the environment is, the vector behind it is found, and nothing else of it is changed."""
    base = 0x7FFC00001230
    words = [1, 0x1111, 0, *([0x2222] * variables), 0]
    vector = [(AT_SYSINFO_EHDR, 0x3333), (6, 4096), (AT_RANDOM, 0), (AT_NULL, 0)]
    at = base + 8 * len(words) + 16 * len(vector)
    vector[2] = (AT_RANDOM, at)
    content = struct.pack(f"={len(words)}Q", *words) + b"".join(struct.pack("=QQ", *pair) for pair in vector)
    stack = Stack(base, content + b"r" * 16 + b"rest")
    freeze_beginning(stack, base, b"0123456789abcdef!")
    vector[0] = (AT_IGNORE, 0x3333)
    expected = content[: 8 * len(words)] + b"".join(struct.pack("=QQ", *pair) for pair in vector)
    assert bytes(stack.content) == expected + b"0123456789abcdef" + b"rest"


def test_a_stack_that_cannot_be_is_left_alone() -> None:
    """A vector that never comes, and memory that ends, change nothing."""
    for content in (b"", b"\xff" * 8, struct.pack("=3Q", 1, 2, 3), struct.pack("=Q", 1 << 63)):
        stack = Stack(0x1000, content)
        freeze_beginning(stack, 0x1000, bytes(16))
        assert bytes(stack.content) == content


def test_a_clock_moves_on_by_looks_and_waits() -> None:
    """Each look is later than the one before, steps grow, and a parent is not behind a child that has ended."""
    clock = Clock()
    first = [clock.look() for _ in range(3)]
    assert first == [STEPS[0], 2 * STEPS[0], 3 * STEPS[0]]
    child = clock.copy()
    for _ in range(4 * LOOKS):
        child.look()
    before = child.elapsed
    assert child.look() - before == STEPS[-1]
    child.wait(5 * SECOND)
    child.wait(-SECOND)
    assert clock.elapsed == first[-1]
    clock.join(child)
    assert (clock.elapsed, clock.looks) == (child.elapsed, child.looks)
    clock.wait_until(1)
    assert clock.elapsed == child.elapsed


def test_each_clock_has_its_beginning() -> None:
    """The time of day, the time since the machine began, and processor time."""
    assert [find_base(clock, 7) for clock in (0, 1, 2, 7, -6)] == [7 * SECOND, 1000 * SECOND, 0, 1000 * SECOND, 0]


def read_all(listings: Listings, folder: int, size: int) -> list[bytes]:
    """Read an open folder to its end, as readdir(3) does; return the names."""
    names = []
    while content := listings.read(folder, 1, size, old=False):
        offset = 0
        while offset < len(content):
            _, _, length, _ = struct.unpack_from("=QqHB", content, offset)
            names.append(content[offset + 19 : offset + length].split(b"\0")[0])
            offset += length
    return names


@pytest.mark.parametrize("size", [64, 300, 1 << 16])
def test_a_folder_is_listed_in_one_order_and_the_other(tmp_path: Path, size: int) -> None:
    """However small the buffer, each name comes once, sorted, also when what was told is removed meanwhile."""
    wanted = sorted(f"name{number * 7919 % 1000}".encode() for number in range(50))
    for name in reversed(wanted):
        (tmp_path / name.decode()).touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert read_all(Listings(backwards=False), folder, size) == [b".", b"..", *wanted]
        os.lseek(folder, 0, os.SEEK_SET)
        assert read_all(Listings(backwards=True), folder, size) == [*reversed(wanted), b"..", b"."]
        os.lseek(folder, 0, os.SEEK_SET)
        listings = Listings(backwards=False)
        listings.read(folder, 1, 1000, old=False)
        for name in wanted[:10]:
            (tmp_path / name.decode()).unlink()
        assert read_all(listings, folder, size)[-1] == wanted[-1]
        os.lseek(folder, 0, os.SEEK_SET)
        assert read_all(listings, folder, size) == [b".", b"..", *wanted[10:]]
        os.lseek(folder, 0, os.SEEK_SET)
        with pytest.raises(OSError, match="Invalid argument"):  # a buffer for no name at all
            listings.read(folder, 1, 8, old=False)
        assert os.lseek(folder, 0, os.SEEK_CUR) == 0
    finally:
        os.close(folder)


def test_random_numbers_follow_birth_and_not_ids() -> None:
    """A process with another id and the same birth draws the same; a sibling, another seed and a second draw do not."""

    def bear(tgid: int) -> FrozenProcess:
        return FrozenProcess(1, (), Clock(), None).bear(tgid)

    assert bear(10).draw(0, 8) == bear(99).draw(0, 8)
    one = bear(10)
    draws = [one.draw(0, 8), one.draw(0, 8), bear(10).draw(1, 8), FrozenProcess(1, (2,), Clock(), None).draw(0, 8)]
    assert len(set(draws)) == len(draws)


def test_turns_go_by_birth_when_all_others_wait() -> None:
    """Nobody begins while somebody runs; then one at a time, in an order that can be turned round."""
    for order, expected in ((0, [5, 6, 7]), (REVERSED, [7, 6, 5])):
        turns = Turns(order)
        for tid in (5, 6, 7):
            turns.hold(tid)
        assert turns.take(is_quiet=False) == []
        assert [turns.take(is_quiet=True) for _ in range(3)] == [[tid] for tid in expected]
        assert not turns
    turns.hold(8)
    turns.forget(8)
    assert not turns
    assert turns.take(is_quiet=True) == []
