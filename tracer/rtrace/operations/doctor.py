"""What of rtrace works on this machine, and what killed processes of rtrace left here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from rtrace.files.workspaces import temporary, temporary_folder
from rtrace.linux.probing import try_in_child
from rtrace.operations.leftovers import clean_folder, find_leftovers
from rtrace.printable import printable
from rtrace.replay.protocol import Ability, Cleaner, Examiner, Unpacker
from rtrace.replay.registry import list_unpackers, load_unpacker
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.settling import find_unsettled, settle

CONTAINERS = {"docker": "version", "podman": "--version"}
"""Container engines, and what they are asked: `docker version` asks the engine, `podman version` would make files."""
_PATIENCE = 20  # seconds for a container engine to answer


def examine() -> Iterator[Ability]:
    """Yield what works here and what does not, by trying it; nothing is changed."""
    yield from examine_tracing()
    for unpacker in load_unpackers():
        if isinstance(unpacker, Examiner):
            yield from unpacker.examine()
    for engine, question in CONTAINERS.items():
        yield examine_container_engine(engine, question)


def examine_tracing() -> Iterator[Ability]:
    """Trace a program that does nothing, in each way there is."""
    from rtrace.capture.loop.engines import ENGINES

    for engine, name, *_ in ENGINES:
        if not sys.platform.startswith("linux"):
            yield Ability(name, works=False, detail="only Linux has it")
            continue
        with temporary("doctor") as folder:
            problem = try_in_child(partial(trace_nothing, engine, folder / "trace"))
        yield Ability(name, works=problem is None, detail=problem or "")


def trace_nothing(engine: str, folder: Path) -> None:
    """Trace true(1). Raises RtraceError where that cannot be traced."""
    from rtrace.capture.loop.engines import VARIABLE
    from rtrace.operations.trace import TraceRequest, trace_into

    os.environ[VARIABLE] = engine
    trace_into(
        TraceDirectory(folder),
        TraceRequest((b"true",), keep=None),
        on_waiting=lambda _programs: None,
        on_loss=lambda _what, _advice: None,
    )


def examine_container_engine(name: str, question: str) -> Ability:
    """Ask a container engine for its version."""
    if shutil.which(name) is None:
        return Ability(name, works=False, detail="it is not installed")
    command = [name, question]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ability(name, works=False, detail=f"`{name} {question}` does not answer ({error})")
    if done.returncode != 0:
        reason = printable(done.stderr.strip().split(b"\n")[-1])
        return Ability(name, works=False, detail=f"`{name} {question}` fails: {reason}")
    return Ability(name, works=True)


def load_unpackers() -> Iterator[Unpacker]:
    """Yield the installed unpackers, but those that cannot be imported here."""
    for name in list_unpackers():
        try:
            yield load_unpacker(name)
        except ImportError:  # what it needs is not installed; whoever uses it is told
            continue


def list_places(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return where to look for leftovers: in these folders, and in the one for temporary files."""
    places: dict[str, Path] = {}
    for folder in (*folders, temporary_folder()):
        places.setdefault(os.path.realpath(folder), folder)
    return tuple(places.values())


def find_all(folders: Iterable[Path]) -> tuple[str, ...]:
    """Name what killed processes of rtrace left; nothing is changed."""
    found: list[str] = []
    for folder in list_places(folders):
        found += (printable(os.fsencode(trace.path)) for trace in find_unsettled(folder))
        found += (printable(os.fsencode(path)) for path in find_leftovers(folder))
    for unpacker in load_unpackers():
        if isinstance(unpacker, Cleaner):
            found += unpacker.list_leftovers()
    return tuple(found)


def clean_all(folders: Iterable[Path]) -> tuple[str, ...]:
    """Put in order what killed processes of rtrace left; say what was done, a sentence each."""
    told: list[str] = []
    for folder in list_places(folders):
        for trace in find_unsettled(folder):
            told += settle(trace)
        told += (f"removed {printable(os.fsencode(path))}" for path in clean_folder(folder))
    for unpacker in load_unpackers():
        if isinstance(unpacker, Cleaner):
            told += (f"removed {name}" for name in unpacker.clean())
    return tuple(told)
