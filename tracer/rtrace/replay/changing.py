"""A run changed for one replay: other arguments, another environment. Pure: the caller says what is passed on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from rtrace.errors import UsageError
from rtrace.manifest.model import Environment, Run
from rtrace.printable import count, name_some, printable, shell_word


@dataclass(frozen=True, slots=True)
class Word:
    """Another word in the command line of a run: ``place`` is 1 for the first behind the program.

    ``before`` is the word before it, by which a password is known.
    """

    run: str
    place: int
    value: bytes
    before: bytes = b""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is changed of a run: ``arguments`` behind the program (None: as they were), words of them, and variables.

    ``variables`` are set in this order, those with None are removed; ``passed`` are the caller's own, set before.
    """

    arguments: tuple[bytes, ...] | None = None
    variables: tuple[tuple[bytes, bytes | None], ...] = ()
    passed: tuple[tuple[bytes, bytes], ...] = ()
    words: tuple[Word, ...] = ()


NO_CHANGES = Changes()
MOST_NAMES = 20
"""In a sentence."""


def change_run(run: Run, changes: Changes) -> Run:
    """Return a run with other arguments and another environment; the program and its argv[0] stay."""
    if changes == NO_CHANGES:
        return run
    words = list(run.argv if changes.arguments is None else (*run.argv[:1], *changes.arguments))
    for word in changes.words:
        if word.run == run.id:
            words[word.place] = word.value
    return replace(
        run, argv=tuple(words), environ=change_environment(run.environ, (*changes.passed, *changes.variables))
    )


def change_environment(environ: Environment, variables: Iterable[tuple[bytes, bytes | None]]) -> Environment:
    """Return an environment with variables set or removed: where it was first, or at the end, and then once."""
    for name, value in variables:
        places = [place for place, (known, _) in enumerate(environ) if known == name]
        first = places[0] if places else len(environ)
        setting = () if value is None else ((name, value),)
        environ = (*environ[:first], *setting, *(item for item in environ[first:] if item[0] != name))
    return environ


def read_arguments(text: str) -> tuple[bytes, ...]:
    """Return the arguments in a line as a shell would split it, of which nothing is expanded. Raises UsageError."""
    try:
        return tuple(map(os.fsencode, shlex.split(text)))
    except ValueError as error:
        reason = {"No closing quotation": "a quote is not closed", "No escaped character": "it ends in a backslash"}
        raise UsageError(f"--cmdline {text!r} is no list of arguments: {reason.get(str(error), error)}") from None


def read_variable(text: str) -> tuple[bytes, bytes | None]:
    """Return the variable of ``NAME=VALUE``, or the one that ``NAME`` removes. Raises UsageError."""
    name, sign, value = os.fsencode(text).partition(b"=")
    if not name:
        raise UsageError(f"--env {text!r} has no name; write NAME=VALUE, or NAME to remove the variable")
    return name, value if sign else None


def find_passed(patterns: Sequence[str], environ: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the variables whose names match a glob pattern, by name."""
    encoded = [os.fsencode(pattern) for pattern in patterns]
    names = sorted(name for name in environ if any(fnmatchcase(name, pattern) for pattern in encoded))
    return tuple((name, environ[name]) for name in names)


def refuse_several(changes: Changes, chosen: Sequence[Run]) -> None:
    """Raise UsageError where arguments are to replace those of several runs."""
    if changes.arguments is not None and len(chosen) > 1:
        names = ", ".join(run.id for run in chosen)
        raise UsageError(f"--cmdline is for one run, and there are {names}: name one of them")


def describe_changes(changes: Changes) -> tuple[str, ...]:
    """Return what is changed, a sentence each, without values of variables: these may be secrets."""
    sentences = []
    if changes.arguments is not None:
        sentences.append(f"arguments: {' '.join(map(shell_word, changes.arguments)) or 'none'}")
    kept = [name for name, value in changes.variables if value is not None]
    gone = [name for name, value in changes.variables if value is None]
    for words, names in (("set", kept), ("removed", gone), ("passed on", [name for name, _ in changes.passed])):
        shown = [printable(name) for name in dict.fromkeys(names)]
        if shown:
            sentences.append(f"{count(len(shown), 'variable')} {words}: {name_some(shown, MOST_NAMES)}")
    return tuple(sentences)
