"""What of the chosen runs each ``--sweep`` changes: found by its name, or refused where that may mean several things.

env:NAME          a variable of the environment, one that the runs have or a new one
arg:3             the third word behind the program
arg:--alpha       the value of an option: `--alpha VALUE`, `--alpha=VALUE`; also `alpha=VALUE`
arg:fit:--alpha   the same of the run `fit`, where several are replayed
input:NAME        an input by its name, or a packed file by its path; the values are files
NAME              whichever of these there is
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.errors import UsageError
from rtrace.printable import name_some, printable, printable_text, suggest
from rtrace.replay.changing import Word
from rtrace.sweep.asked import Asked, Kind

if TYPE_CHECKING:
    from rtrace.manifest.model import Run

_MOST_DIGITS = 6
_MOST_WORDS = 12
"""Words of a command line that a sentence shows."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A word of a run's command line, of which what comes behind ``prefix`` is the value; ``before`` is the last word.

    ``place`` is 1 for the first word behind the program.
    """

    run: str
    place: int
    prefix: bytes = b""
    before: bytes = b""

    def write(self, value: str) -> Word:
        """Return the word with another value."""
        return Word(self.run, self.place, self.prefix + os.fsencode(value), self.before)


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that is changed, and its values; ``label`` is what its column and the folders call it."""

    kind: Kind
    name: str
    values: tuple[str, ...]
    label: str
    spot: Spot | None = None

    @property
    def text(self) -> str:
        """The name with its kind."""
        return f"{self.kind}:{self.name}"


def resolve_axes(asked: Sequence[Asked], runs: Sequence[Run], inputs: Iterable[str]) -> tuple[Axis, ...]:
    """Return what is changed of these runs. Raises UsageError for a name that fits nothing, or several things."""
    known = tuple(inputs)
    axes: list[Axis] = []
    for one in asked:
        axis = resolve(one, runs, known)
        for other in axes:
            if (axis.kind, axis.name) == (other.kind, other.name) or (axis.spot and axis.spot == other.spot):
                raise UsageError(f"--sweep {_show(one.text)} is given twice; name all its values in one --sweep")
        axes.append(axis)
    labels = [axis.label for axis in axes]
    return tuple(
        axis if labels.count(axis.label) == 1 else Axis(axis.kind, axis.name, axis.values, axis.text, axis.spot)
        for axis in axes
    )


def resolve(asked: Asked, runs: Sequence[Run], inputs: Sequence[str]) -> Axis:
    """Return the one thing that a person can mean. Raises UsageError."""
    if asked.kind == "env":
        return Axis("env", asked.name, asked.values, asked.name)
    if asked.kind == "input":
        return Axis("input", asked.name, asked.values, asked.name)
    if asked.kind == "arg":
        return _resolve_argument(asked, runs)
    ways: list[Axis] = []
    if any(os.fsencode(asked.name) == name for run in runs for name, _ in run.environ):
        ways.append(Axis("env", asked.name, asked.values, asked.name))
    ways += (_axis(asked, asked.name, spot) for spot in find_spots(asked.name, runs))
    if asked.name in inputs or asked.name.startswith("/"):
        ways.append(Axis("input", asked.name, asked.values, asked.name))
    if len(ways) == 1:
        return ways[0]
    if ways:
        meant = " or ".join(dict.fromkeys(f"{_show(_tell(way, runs))}=" for way in ways))
        raise UsageError(f"--sweep {_show(asked.name)} may mean several things; write {meant}")
    known = [*inputs, *(printable(name) for run in runs for name, _ in run.environ), *list_options(runs)]
    otherwise = f"; write env:{_show(asked.name)}= to set a new variable, or arg:N= for a word of {_tell_words(runs)}"
    advice = suggest(asked.name, dict.fromkeys(known)) or otherwise
    raise UsageError(f"--sweep {_show(asked.name)}: no variable, option or input is called so{advice}")


def _resolve_argument(asked: Asked, runs: Sequence[Run]) -> Axis:
    name, chosen = asked.name, runs
    before, colon, after = name.partition(":")
    if colon and after and any(run.id == before for run in runs):
        name, chosen = after, [run for run in runs if run.id == before]
    spots = list(find_spots(name, chosen))
    if len(spots) == 1:
        return _axis(asked, name, spots[0])
    if not spots:
        raise UsageError(f"--sweep {_show(asked.text)}: there is no such word with a value in {_tell_words(chosen)}")
    meant = " or ".join(f"arg:{_show(spot.run)}:{spot.place}=" for spot in spots)
    raise UsageError(f"--sweep {_show(asked.text)} fits several words; write {meant} (of {_tell_words(chosen)})")


def _axis(asked: Asked, name: str, spot: Spot) -> Axis:
    is_number = name.isascii() and name.isdigit()
    label = f"arg{int(name)}" if is_number else name.lstrip("-") or name
    return Axis("arg", asked.name, asked.values, label, spot)


def find_spots(name: str, runs: Iterable[Run]) -> Iterator[Spot]:
    """Yield the words that a name may mean: by their number, or the values of an option."""
    for run in runs:
        if name.isascii() and name.isdigit():
            place = int(name) if len(name) <= _MOST_DIGITS else 0
            if 0 < place < len(run.argv):
                yield Spot(run.id, place, before=run.argv[place - 1])
            continue
        yield from _find_options(os.fsencode(name), run)


def _find_options(name: bytes, run: Run) -> Iterator[Spot]:
    options = {name} if name.startswith(b"-") else {b"--" + name, b"-" + name}
    words = run.argv
    for place in range(1, len(words)):
        word = words[place]
        option, sign, _ = word.partition(b"=")
        if sign and (option in options or option == name):
            yield Spot(run.id, place, option + b"=", words[place - 1])
        elif word in options and place + 1 < len(words):
            yield Spot(run.id, place + 1, before=word)


def list_options(runs: Iterable[Run]) -> Iterator[str]:
    """Yield the names of options as they are typed for a sweep, without dashes."""
    for run in runs:
        for word in run.argv[1:]:
            name = printable(word.partition(b"=")[0].lstrip(b"-"))
            if name and (word.startswith(b"-") or b"=" in word):
                yield name


def _tell(axis: Axis, runs: Sequence[Run]) -> str:
    """Return what a person has to write to mean just this."""
    if axis.spot is None:
        return axis.text
    return f"arg:{axis.spot.place}" if len(runs) == 1 else f"arg:{axis.spot.run}:{axis.spot.place}"


def _tell_words(runs: Sequence[Run]) -> str:
    """Return the words of the command lines with their numbers."""
    told = []
    for run in runs:
        words = [f"{place} {printable(word)}" for place, word in enumerate(run.argv) if place]
        told.append(f"{run.id} ({name_some(words, _MOST_WORDS) or 'which has none'})")
    return "; ".join(told)


def _show(text: str) -> str:
    return printable_text(text)
