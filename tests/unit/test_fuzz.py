"""What fuzzing found is refused, or read, as it should be; and what fuzzing calls a crash is one. See scripts/fuzz."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.judging import Crash, judge_error, judged
from fuzz.minimising import minimise
from fuzz.mutation import mutate_sections
from fuzz.sealing import seal
from fuzz.sections import join, split
from fuzz.seeds import make_bundle, make_seeds
from fuzz.targets import TARGETS
from rtrace.errors import BundleError
from rtrace.operations.check import check_bundle

CHECKOUT = Path(__file__).resolve().parents[2]
CORPUS = CHECKOUT / "fixtures/fuzz"


@pytest.mark.parametrize("name", TARGETS)
def test_the_kept_corpus_is_used_without_a_crash(name: str) -> None:
    """Every input that once led to a new way through the code leads to a sentence, or to a target, and no further."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        TARGETS[name].use(file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_used_without_a_crash(name: str) -> None:
    """The inputs from which all others were made are used; the first of each is read, and not refused."""
    seeds = list(make_seeds(name, CHECKOUT))
    assert TARGETS[name].use(seeds[0]) == []
    for seed in seeds:
        TARGETS[name].use(seed)


def test_a_sealed_bundle_is_whole(tmp_path: Path) -> None:
    """What the fuzzer changes is a whole bundle before it is changed, and one with right digests after."""
    parts = make_bundle()
    path = tmp_path / "x.rpz"
    path.write_bytes(seal(join(parts)))
    assert check_bundle(path).problem is None
    parts["files"] = parts["files"].replace(b'"path":"/data/fifo"', b'"path":"/data/../fifo"')
    path.write_bytes(seal(join(parts)))
    assert "climbs with '..'" in (check_bundle(path).problem or "")


def test_sections_come_back() -> None:
    """The open form is read as it was written."""
    parts = {"plan": b"L", "files": b"\n=x\n===\n", "data": b""}
    assert split(join(parts)) == parts
    assert split(b"no section") == {}


@pytest.mark.parametrize("name", ["bundle", "reprozip"])
def test_mutations_are_used_without_a_crash(name: str) -> None:
    """Some mutations are used, without the fuzzer, whose part a fixed change of a byte plays here."""
    chance = random.Random(3)  # noqa: S311 -- the same mutations each time

    def change(content: bytes, most: int) -> bytes:
        place = chance.randrange(len(content) + 1)
        return (content[:place] + chance.randbytes(1) + content[place + 1 :])[:most]

    seed = next(make_seeds(name, CHECKOUT))
    for number in range(40):
        content = seed
        for _ in range(3):
            content = mutate_sections(content, 1 << 16, chance.randrange(1 << 32), change)
        assert content != seed or number
        TARGETS[name].use(content)


OUTSIDE: dict[str, Callable[[Path], object]] = {
    "a file": lambda folder: (folder / "x").write_bytes(b""),
    "a folder": lambda folder: (folder / "x").mkdir(),
    "a symlink": lambda folder: (folder / "x").symlink_to("y"),
    "a removed file": lambda folder: (folder / "there").unlink(),
    "another mode": lambda folder: (folder / "there").chmod(0o600),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_change_outside_is_a_crash(name: str, tmp_path: Path) -> None:
    """Whoever touches anything outside of the scratch folder is found out, before it is done."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "there").touch(0o644)
    (inside / "there").touch()
    with judged(inside):
        OUTSIDE[name](inside)
    with pytest.raises(Crash, match="outside"), judged(inside):
        OUTSIDE[name](outside)
    assert os.listdir(outside) == ["there"]


def test_memory_without_a_bound_is_a_crash(tmp_path: Path) -> None:
    """An input that makes the process grow by more than the limit is found out."""
    with pytest.raises(Crash, match="MiB of memory"), judged(tmp_path):
        bytearray(b"x" * (400 << 20))


@pytest.mark.parametrize("sentence", ["", "two\nlines", "an \x1b escape"])
def test_what_is_no_sentence_is_a_crash(sentence: str) -> None:
    """An error without words, with lines or with what a terminal acts upon is a crash, too."""
    with pytest.raises(Crash):
        judge_error(BundleError(sentence))


def test_a_corpus_is_made_small() -> None:
    """Of the inputs that take the same way the shortest is kept, and nothing beyond the room there is."""
    short, long = b"version: 9\n", b"version: 99\n"
    other = b"[]\n"
    kept = minimise([long, short, other], TARGETS["manifest"].use, 1000)
    assert kept == [other, short]
    assert minimise([long, short, other], TARGETS["manifest"].use, 5) == [other]
