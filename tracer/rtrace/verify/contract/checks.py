"""The promises of a comparator (`Kind` in ``rtrace.verify.kinds.model``), each with the work that finds out."""

from __future__ import annotations

import io
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rtrace.verify.kinds.model import Judgement, Kind, Likeness, Rule

Pair: TypeAlias = tuple[str, str]
Ending: TypeAlias = Literal["ok", "FAILED", "skipped"]

HEAD = 1 << 16
_MOST = 64 << 20
_FOREIGN = {
    "nothing": b"",
    "a byte": b"\0",
    "text": b"a line\nand another one\n",
    "a table": b"a,b\n1,2\n3,4\n",
    "JSON": b'{"a": [1, 2]}',
    "XML": b"<?xml version='1.0'?><a/>",
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "an empty zip": b"PK\x05\x06" + bytes(18),
    "gzip of nothing": bytes.fromhex("1f8b0800000000000003030000000000000000"),
    "zeros": bytes(4096),
    "noise": random.Random(1).randbytes(4096),  # noqa: S311 -- the same each time
}
_CUTS = (0.0, 0.01, 0.3, 0.5, 0.9, 0.999)
_MAGIC = 4
"""Bytes by which files are nearly always told apart: what begins as a sample may be one of its kind."""
_CHANGES = 8


class BrokenPromiseError(Exception):
    """What a check found, as a sentence."""


class CannotTellError(Exception):
    """Why a check says nothing, as a sentence."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Files of the kind: pairs that say the same with other bytes, and pairs that differ in what they say."""

    equal: tuple[Pair, ...] = ()
    different: tuple[Pair, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them."""
        return self.equal + self.different

    def need(self, pairs: tuple[Pair, ...], option: str) -> tuple[Pair, ...]:
        """Return pairs, where there are some. Raises CannotTellError."""
        if not pairs:
            raise CannotTellError(f"it takes two files of the kind: {option}")
        return pairs


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and the work that finds out whether it is kept."""

    name: str
    sentence: str
    work: Callable[[Kind, Samples], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """How a check ended, and why where it is not ok."""

    check: Check
    ending: Ending
    why: str = ""


def judge(kind: Kind, samples: Samples) -> Iterator[Judged]:
    """Check a comparator, promise by promise."""
    for check in CHECKS:
        try:
            check.work(kind, samples)
        except CannotTellError as reason:
            yield Judged(check, "skipped", str(reason))
        except BrokenPromiseError as problem:
            yield Judged(check, "FAILED", str(problem))
        except Exception as error:  # noqa: BLE001 -- whatever a comparator raises is its answer
            yield Judged(check, "FAILED", f"{type(error).__name__}: {error}")
        else:
            yield Judged(check, "ok")


def compare(kind: Kind, one: bytes, other: bytes, names: tuple[bytes, bytes], rule: Rule) -> Judgement:
    """Ask a comparator as rtrace does, and look at its answer. Raises BrokenPromiseError for one that is none."""
    files = io.BytesIO(one), io.BytesIO(other)
    judgement = kind.compare(files[0], files[1], rule, names)
    if not isinstance(judgement, Judgement) or judgement.likeness not in get_args(Likeness):
        raise BrokenPromiseError(f"it answers with {judgement!r}, and not with a Judgement of a known likeness")
    texts = (judgement.kind, judgement.place, judgement.expected, judgement.found, judgement.note, *judgement.ignored)
    if not all(isinstance(text, str) for text in texts):
        raise BrokenPromiseError(f"a part of its answer is no text: {judgement!r}")
    if any(file.closed for file in files):
        raise BrokenPromiseError("it closes the files that it is given")
    return judgement


def _check_name(kind: Kind, _: Samples) -> None:
    if not (isinstance(kind.name, str) and kind.name.strip() and kind.name.isprintable()):
        raise BrokenPromiseError(f"its name is {kind.name!r}; a person has to read it")


def _check_own(kind: Kind, samples: Samples) -> None:
    for pair in samples.need(samples.pairs, "--equal or --different"):
        for path in pair:
            content, name = read(path), os.path.basename(path).encode()
            if kind.recognise(content[:HEAD], name) is not True:
                raise BrokenPromiseError(f"it does not recognise {path}")


def _check_foreign(kind: Kind, samples: Samples) -> None:
    for what, content in _FOREIGN.items():
        found = kind.recognise(content, b"out")
        if not isinstance(found, bool):
            raise BrokenPromiseError(f"of {what} it says {found!r}, and neither True nor False")
        if found and not any(read(path)[:_MAGIC] == content[:_MAGIC] for pair in samples.pairs for path in pair):
            raise BrokenPromiseError(f"it takes {what} for its own")


def _check_equal(kind: Kind, samples: Samples) -> None:
    for pair, one, other, names in _both_ways(samples.need(samples.equal, "--equal ONE OTHER")):
        judgement = compare(kind, one, other, names, Rule())
        if judgement.likeness not in {"same", "equal"}:
            raise BrokenPromiseError(f"{' and '.join(pair)} are {judgement.likeness}: {judgement.place}")
        if not judgement.ignored:
            raise BrokenPromiseError(f"in what {' and '.join(pair)} differ it does not say (`ignored`)")


def _check_different(kind: Kind, samples: Samples) -> None:
    for pair, one, other, names in _both_ways(samples.need(samples.different, "--different ONE OTHER")):
        there = compare(kind, one, other, names, Rule())
        back = compare(kind, other, one, names[::-1], Rule())
        if there.likeness != "different":
            raise BrokenPromiseError(f"{' and '.join(pair)} are {there.likeness}")
        if not there.place:
            raise BrokenPromiseError(f"where {' and '.join(pair)} differ it does not say (`place`)")
        if there.expected == there.found:
            raise BrokenPromiseError(f"at {there.place} it shows the same twice: {there.expected}")
        if (there.likeness, there.expected, there.found) != (back.likeness, back.found, back.expected):
            raise BrokenPromiseError(f"the other way round it answers {back!r}, and not the reverse of {there!r}")


def _check_tolerance(kind: Kind, samples: Samples) -> None:
    told = False
    for pair, one, other, names in _both_ways(samples.need(samples.different, "--different ONE OTHER")):
        amount = compare(kind, one, other, names, Rule()).amount
        if amount is None:
            continue
        told = True
        for rule, likenesses in ((Rule(absolute=amount * 2), {"close"}), (Rule(absolute=amount / 2), {"different"})):
            found = compare(kind, one, other, names, rule).likeness
            if found not in likenesses:
                which = " and ".join(pair)
                raise BrokenPromiseError(f"{which} differ by {amount:g}, and within {rule.absolute:g} they are {found}")
    if not told:
        raise CannotTellError("no pair differs in numbers alone (`amount` is None)")


def _check_twice(kind: Kind, samples: Samples) -> None:
    for pair, one, other, names in _both_ways(samples.need(samples.pairs, "--equal or --different")):
        answers = [compare(kind, one, other, names, Rule()) for _ in range(2)]
        if answers[0] != answers[1]:
            raise BrokenPromiseError(f"of {' and '.join(pair)} it says another thing the second time")


def _check_broken(kind: Kind, samples: Samples) -> None:
    for path, name in _list_files(samples):
        content = read(path)
        for part in _CUTS:
            cut = content[: int(len(content) * part)]
            if cut == content:
                continue
            try:
                likeness = compare(kind, content, cut, (name, name), Rule()).likeness
            except Exception:  # noqa: BLE001, S112 -- any is an answer: the bytes are compared then
                continue
            if likeness in {"same", "equal", "close"} and part < _CUTS[-2]:
                raise BrokenPromiseError(f"{path} and its first {len(cut)} bytes are {likeness} to it")


def _check_damaged(kind: Kind, samples: Samples) -> None:
    chance = random.Random(2)  # noqa: S311 -- the same each time
    for path, name in _list_files(samples):
        content = read(path)
        for _ in range(_CHANGES):
            damaged = bytearray(content)
            for _ in range(chance.choice((1, 8))):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            if bytes(damaged) == content:
                continue
            try:
                compare(kind, content, bytes(damaged), (name, name), Rule())
            except Exception:  # noqa: BLE001, S112
                continue


def _check_leftovers(kind: Kind, samples: Samples) -> None:
    pairs = samples.need(samples.pairs, "--equal or --different")
    before_fds = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with _empty_folder() as folder:
        for _, one, other, names in _both_ways(pairs):
            compare(kind, one, other, names, Rule())
        left = os.listdir(folder)
    if left:
        raise BrokenPromiseError(f"it leaves {left[0]} among the temporary files")
    after = set(os.listdir("/proc/self/fd")) if before_fds else set()
    if len(after) > len(before_fds) + 8:
        raise BrokenPromiseError(f"it leaves {len(after) - len(before_fds)} files open")


@contextmanager
def _empty_folder() -> Iterator[str]:
    """Yield a new folder, in which temporary files are made meanwhile."""
    old = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = old


def _both_ways(pairs: tuple[Pair, ...]) -> Iterator[tuple[Pair, bytes, bytes, tuple[bytes, bytes]]]:
    for pair in pairs:
        contents = [read(path) for path in pair]
        names = [os.path.basename(path).encode() for path in pair]
        yield pair, contents[0], contents[1], (names[0], names[1])
        yield pair, contents[1], contents[0], (names[1], names[0])


def _list_files(samples: Samples) -> Iterator[tuple[str, bytes]]:
    for pair in samples.need(samples.pairs, "--equal or --different"):
        for path in pair:
            yield path, os.path.basename(path).encode()


def read(path: str) -> bytes:
    """Return the content of a sample. Raises CannotTellError for one that is large, empty or cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise CannotTellError(f"cannot read {path}: {error.strerror}") from None
    if not content or len(content) > _MOST:
        raise CannotTellError(f"{path} is {'empty' if not content else 'too large'} for a sample")
    return content


CHECKS = (
    Check("name", "it has a name for a person", _check_name),
    Check("own", "it recognises files of its kind by their beginning", _check_own),
    Check("foreign", "it recognises nothing else, and never raises there", _check_foreign),
    Check("equal", "what says the same is equal, either way round, and it says in what it differs", _check_equal),
    Check("different", "what differs is different, with the place and both values, either way round", _check_different),
    Check("tolerance", "numbers that differ are close within a tolerance, and only there", _check_tolerance),
    Check("again", "asked again it answers the same", _check_twice),
    Check("cut", "what is cut off is never the same as the whole", _check_broken),
    Check("damaged", "what is damaged raises an exception, or is compared; it ends no process", _check_damaged),
    Check("leftovers", "it leaves no temporary file, and none open", _check_leftovers),
)
