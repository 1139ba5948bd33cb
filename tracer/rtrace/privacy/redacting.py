"""Secrets in commands, environments and addresses: found, decided upon, and replaced by a word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.manifest.model import SecretPack, locate_program
from rtrace.printable import printable
from rtrace.privacy.redaction import Judge, Redaction, Redactor
from rtrace.privacy.rules.spellings import find_values
from rtrace.privacy.searching.matching import IN_ARGUMENTS, make_matcher
from rtrace.privacy.searching.scan import find_in_arguments, find_in_variable
from rtrace.trace.rewriting import ExecutedCommand, read_commands, read_environments, redact_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Run
    from rtrace.privacy.decisions import Decisions

REDACTED = b"redacted"
Environ = tuple[tuple[bytes, "bytes | None"], ...]


def redact_environment(environ: Environ, judge: Judge) -> Environ:
    """Return an environment without its secrets."""
    kept: list[tuple[bytes, bytes | None]] = []
    for number, (name, value) in enumerate(environ, 1):
        text = name if value is None else name + b"=" + value
        spans = find_in_variable(name, value) or judge.find_known(text)
        if spans:
            place = f"item {number} of the environment" if value is None else f"variable {printable(name)}"
            rules = dict.fromkeys(span.rule for span in spans)
            packs = {judge.decide(place, rule, rule.what, SecretPack.REDACTED) for rule in rules}
            _learn(judge, [name if value is None else value, *(text[span.begin : span.end] for span in spans)], packs)
            if SecretPack.LEFT_OUT in packs:
                continue
            if SecretPack.REDACTED in packs:
                kept.append((REDACTED, None) if value is None else (name, REDACTED))
                continue
        kept.append((name, value))
    return tuple(kept)


def redact_arguments(program: bytes, argv: Sequence[bytes], judge: Judge) -> tuple[bytes, ...]:
    """Return the arguments of a program without their secrets."""
    cuts: dict[int, list[tuple[int, int]]] = {}
    for found in find_in_arguments(argv):
        place = f"argument {found.number} of {printable(program)}"
        pack = judge.decide(place, found.rule, found.rule.what, SecretPack.REDACTED)
        _learn(judge, [argv[found.holder][found.begin : found.end]], {pack})
        if pack is not SecretPack.AS_IT_IS:
            cuts.setdefault(found.holder, []).append((found.begin, found.end))
    for number, item in enumerate(argv):
        for span in judge.find_known(item):
            if not any(begin <= span.begin and span.end <= end for begin, end in cuts.get(number, ())):
                place = f"argument {number} of {printable(program)}"
                pack = judge.decide(place, span.rule, span.rule.what, SecretPack.REDACTED)
                _learn(judge, [item[span.begin : span.end]], {pack})
                if pack is not SecretPack.AS_IT_IS:
                    cuts.setdefault(number, []).append((span.begin, span.end))
    if not cuts:
        return tuple(argv)
    return tuple(_cut(item, cuts.get(number, ())) for number, item in enumerate(argv))


def redact_run(run: Run, judge: Judge) -> Run:
    """Return a run without the secrets of its arguments and environment."""
    return replace(
        run,
        argv=redact_arguments(run.program, run.argv, judge),
        environ=redact_environment(run.environ, judge),
    )


def redact_address(place: str, address: str, judge: Judge) -> str:
    """Return an address without its secrets."""
    text = address.encode("utf-8", "surrogateescape")
    cuts = []
    for span in make_matcher(IN_ARGUMENTS).find(text):
        pack = judge.decide(place, span.rule, span.rule.what, SecretPack.REDACTED)
        _learn(judge, [text[span.begin : span.end]], {pack})
        if pack is not SecretPack.AS_IT_IS:
            cuts.append((span.begin, span.end))
    return _cut(text, cuts).decode("utf-8", "surrogateescape")


def redact_known(content: bytes, judge: Judge) -> bytes:
    """Return bytes without the secret values that are known."""
    return _cut(content, [(span.begin, span.end) for span in judge.find_known(content)])


def decide_on_trace(connection: sqlite3.Connection, decisions: Decisions) -> None:
    """Find and decide on the secrets of every execution in a trace."""
    for command in read_commands(connection):
        decisions.in_trace |= _redact_command(command, decisions) != command.argv
    for content in read_environments(connection):
        decisions.in_trace |= _redact_environ(content, decisions) != content


def redact_trace(database: Path, redaction: Redaction) -> None:
    """Remove the secrets from a copy of a trace database, its free pages included."""
    if not (redaction.in_trace or redaction.values):
        return
    redactor = Redactor(redaction)
    redact_database(
        database,
        command=lambda command: _redact_command(command, redactor),
        environment=lambda environ: _redact_environ(environ, redactor),
        text=(lambda content: redact_known(content, redactor)) if redaction.values else None,
    )


def _redact_command(command: ExecutedCommand, judge: Judge) -> bytes:
    """Return the arguments of a command, each with a NUL behind it, without their secrets."""
    items = command.argv.removesuffix(b"\0").split(b"\0") if command.argv else []
    program = locate_program(command.binary, command.workingdir)
    return b"".join(item + b"\0" for item in redact_arguments(program, items, judge))


def _redact_environ(blob: bytes, judge: Judge) -> bytes:
    """Return variables, each with a NUL behind it, without their secrets."""
    items = (item.partition(b"=") for item in (blob.removesuffix(b"\0").split(b"\0") if blob else []))
    kept = redact_environment(tuple((name, value if equals else None) for name, equals, value in items), judge)
    return b"".join((name if value is None else name + b"=" + value) + b"\0" for name, value in kept)


def _learn(judge: Judge, texts: Iterable[bytes], packs: Collection[SecretPack]) -> None:
    """Remember the values by which these secrets can be recognised elsewhere."""
    judge.learn([value for text in texts for value in find_values(text)], packs)


def _cut(item: bytes, places: Collection[tuple[int, int]]) -> bytes:
    """Return a text with some parts of it, which may overlap, replaced by REDACTED."""
    if not places:
        return item
    done, parts = 0, []
    for begin, end in sorted(places):
        if begin >= done:
            parts += [item[done:begin], REDACTED]
        done = max(done, end)
    return b"".join((*parts, item[done:]))
