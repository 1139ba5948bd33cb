"""The programs of a run: executables, the scripts that interpreters ran, and the experiment's own modules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.describe.program_files import is_program
from rtrace.path_text import to_text
from rtrace.record.facts.executables import read_executable
from rtrace.record.taking.contents import hash_program
from rtrace.record.taking.files import locate
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rtrace.record.document import ExecutableFact, ScriptFact
    from rtrace.record.taking.evidence import Evidence
    from rtrace.trace.reading.one_run import FoundFile, TracedExecution

MOST_PROGRAMS = 1000
MOST_SCRIPTS = 2000
LARGEST_TEXT = 64 << 10
"""Bytes of a script's text that a record has, and ..."""
MOST_TEXT = 512 << 10
"""... of all its scripts'."""
_MOST_HASHED = 64 << 20
_READ = int(Use.READ)
_EXECUTE = int(Use.EXECUTE)
_INTERPRETERS = frozenset(
    b"python pypy perl ruby node nodejs julia lua luajit php tclsh wish octave octave-cli gnuplot Rscript R sage"
    b" bash dash sh zsh ksh fish csh tcsh guile groovy scala gawk mawk awk sed make gmake snakemake matlab".split()
)
"""Names of interpreters, each without its version."""
_VERSION = b"0123456789."
_TAGGED = 2
"""Parts of the name of a compiled file: its source's, and what compiled it."""
_SEPARATE_FILE = frozenset({b"-f", b"--file"})
_NO_FILE = frozenset({b"-c", b"-e", b"-m", b"-E", b"--eval", b"--command"})
_FILE = (b"--file=", b"-f=")
_COMPILED = (b".pyc", b".pyo", b".pyd", b".so", b".o", b".a", b".la", b".ko", b".wasm", b".class", b".jar", b".gch")


class Programs(NamedTuple):
    """What was executed: how often each file that is a program, and which scripts, each with its interpreter."""

    counts: dict[bytes, int]
    scripts: dict[bytes, bytes | None]


def find_programs(evidence: Evidence) -> Programs:
    """Return what a run executed, in order."""
    programs = Programs({}, {})
    for execution in evidence.executions:
        interpreter = read_shebang(execution.path) if execution.path not in evidence.owners else None
        if interpreter is not None:
            programs.scripts.setdefault(execution.path, os.path.realpath(interpreter))
            continue
        programs.counts[execution.path] = programs.counts.get(execution.path, 0) + 1
        script = find_script(evidence, execution)
        if script is not None and script not in evidence.owners:
            programs.scripts[script] = execution.path
    for script, interpreter in programs.scripts.items():
        if interpreter is not None and interpreter not in programs.counts:
            programs.counts[interpreter] = sum(one.path == script for one in evidence.executions)
    return programs


def find_script(evidence: Evidence, execution: TracedExecution) -> bytes | None:
    """Return the file that an interpreter was given to run; None for other programs, and for one that got a text."""
    names = {execution.path.rpartition(b"/")[2], *(word.rpartition(b"/")[2] for word in execution.argv[:1])}
    if not any(name.rstrip(_VERSION) in _INTERPRETERS for name in names):
        return None
    words = iter(execution.argv[1:])
    for word in words:
        if word in _NO_FILE:
            return None
        given = next((word[len(mark) :] for mark in _FILE if word.startswith(mark)), None)
        if given is None and word in _SEPARATE_FILE:
            given = next(words, b"")
        if given is None and word.startswith(b"-"):
            continue
        found = evidence.resolve(word if given is None else given, execution.workingdir)
        if found is not None and evidence.found[found].use & _READ:
            return found
    return None


def find_main(evidence: Evidence, programs: Programs) -> bytes:
    """Return the script that a command is about, else its program.

    A script that the command names comes first. A program of the experiment's own is what it is about itself; one of a
    package (`env`, `mpirun`, a shell) may have been told to run the first script that there was.
    """
    for word in evidence.run.argv:
        path = evidence.resolve(word, evidence.run.workingdir)
        if path in programs.scripts:
            return path
    given = find_script(evidence, evidence.executions[0]) if evidence.executions else None
    if given in programs.scripts:
        return given
    program = os.path.normpath(evidence.run.program)
    if program in evidence.owners or os.path.realpath(program) in evidence.owners:
        return next(iter(programs.scripts), program)
    return program


def describe_executables(evidence: Evidence, programs: Programs) -> list[ExecutableFact]:
    """Return the facts of the executed programs, those of the experiment first; a package's are told by its version."""
    order = sorted(programs.counts, key=lambda path: path in evidence.owners)
    facts = []
    for path in order[:MOST_PROGRAMS]:
        owner = evidence.owners.get(path)
        name, version = evidence.name_owner(path), None if owner is None else owner.version
        fact = read_executable(to_text(path), package=name, version=version)
        fact["executions"] = programs.counts[path]
        if owner is None or fact["build_id"] is None:
            fact["sha256"] = hash_program(path, _MOST_HASHED)
        facts.append(fact)
    return facts


def describe_scripts(
    evidence: Evidence, programs: Programs, main: bytes, repositories: Mapping[bytes, int]
) -> list[ScriptFact]:
    """Return the facts of scripts and of the experiment's modules, the main script first, with the texts of the first.

    ``repositories`` are the indices of working trees by their roots.
    """
    found = {path: programs.scripts.get(path) for path in (*programs.scripts, *find_modules(evidence))}
    order = sorted(found, key=lambda path: path != main)
    room = MOST_TEXT
    facts: list[ScriptFact] = []
    for path in order[:MOST_SCRIPTS]:
        interpreter = found[path]
        text, size, sha256 = _read_text(evidence, path)
        if text is not None:
            room -= len(text)
        decoded = None if text is None else to_text(text)
        facts.append(
            {
                "path": to_text(path),
                "sha256": sha256,
                "size": size,
                "interpreter": None if interpreter is None else to_text(interpreter),
                "main": path == main,
                "repository": find_repository(path, repositories),
                "version": None if decoded is None else _find_version(decoded),
                "text": decoded if room >= 0 else None,
            }
        )
    return facts


def _find_version(text: str) -> str | None:
    """Return the version that a script's text says it has; nearly all say none, and then no pattern is loaded."""
    if "version" not in text.lower():
        return None
    from rtrace.record.facts.scripts import find_version

    return find_version(text)


def find_modules(evidence: Evidence) -> Iterator[bytes]:
    """Yield the files of a person's that are parts of programs, and were read: as a source, or as it was compiled."""
    for path, file in evidence.found.items():
        if not file.use & (_READ | _EXECUTE) or not file.path.startswith(b"/") or path in evidence.owners or file.own:
            continue
        compiled = find_source(path)
        source = compiled or path
        if source in evidence.owners or source.endswith(_COMPILED) or not is_program(source):
            continue
        if (compiled and os.path.isfile(source) and evidence.concern.find_shown(source) is not None) or (
            file.type == "file" and evidence.concern.find_shown(path) is not None
        ):
            yield source


def find_repository(path: bytes, repositories: Mapping[bytes, int]) -> int | None:
    """Return the index of the innermost working tree that a path lies in."""
    folder = path.rpartition(b"/")[0]
    while folder:
        if folder in repositories:
            return repositories[folder]
        folder = folder.rpartition(b"/")[0]
    return None


def read_shebang(path: bytes) -> bytes | None:
    """Return the interpreter that the first line of a script names; None for a file that is no script."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(256)
    except OSError:  # the run removed it: nothing is known of it then
        return None
    words = head[2:].lstrip(b" \t")
    return words.split(None, 1)[0] if head.startswith(b"#!") and words[:1].strip() else None


def find_source(path: bytes) -> bytes | None:
    """Return the source of a file that Python compiled, by its name; None for any other file. See PEP 3147."""
    folder, _, name = path.rpartition(b"/")
    if not name.endswith(b".pyc") or not folder.endswith(b"/__pycache__"):
        return None
    parts = name.split(b".")[:-1]
    if len(parts) > _TAGGED and parts[-1].startswith(b"opt-") and parts[-1][4:].isdigit():
        parts.pop()
    source = b".".join(parts[:-1])
    return folder.removesuffix(b"__pycache__") + source + b".py" if source and parts[-1] else None


def _read_text(evidence: Evidence, path: bytes) -> tuple[bytes | None, int | None, str | None]:
    """Return a script's text if it is not too long, its size and its digest, as it was before the run."""
    file: FoundFile | None = evidence.found.get(path)
    source = path if file is None else locate(evidence, file).source
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as opened:
            size = os.fstat(descriptor).st_size
            if size > LARGEST_TEXT:
                return None, size, hash_program(source, _MOST_HASHED)
            text = opened.read(LARGEST_TEXT)
    except OSError:  # gone by now
        return None, None, None
    import hashlib

    return (None if b"\0" in text else text), len(text), hashlib.sha256(text).hexdigest()
