"""`rtrace doctor`: what works on this machine, and what killed processes of rtrace left here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from rtrace.files.workspaces import IN_MEMORY, temporary_folder
from rtrace.operations.machine.leftovers import clean_folder, find_leftovers
from rtrace.operations.machine.package_databases import examine_package_databases
from rtrace.operations.machine.programs import PendingAnswer, examine_kvm, list_programs
from rtrace.operations.machine.tracing import trying_to_trace
from rtrace.operations.machine.unpackers import load_unpackers
from rtrace.printable import printable
from rtrace.replay.cache_place import find_place
from rtrace.replay.protocol import Ability, Cleaner, Examiner
from rtrace.trace.settling import find_unsettled, settle


def examine() -> tuple[Ability, ...]:
    """Return what works here and what does not, by trying it; nothing is changed.

    What takes long is begun first, and its answers are taken last: programs that are asked, traces.
    """
    questions = [PendingAnswer(program) for program in list_programs()]
    engines: dict[str, str] = {}
    if sys.platform.startswith("linux"):  # elsewhere the tracer cannot be imported
        import_module("rtrace.operations.trace")  # once, and not in each child
        engines = {engine.name: engine.description for engine in import_module("rtrace.capture.loop.engines").ENGINES}
    try:
        with trying_to_trace(engines, trace_nothing) as traced:
            packages = tuple(examine_package_databases()) if sys.platform.startswith("linux") else ()
            files = examine_files()
            replays = [ability for one in load_unpackers() if isinstance(one, Examiner) for ability in one.examine()]
    finally:
        answers = [question.finish() for question in questions]
    return (*traced, *replays, *answers, *examine_kvm(), *files, *packages)


def examine_files() -> tuple[Ability, ...]:
    """Return what can be done with files here and in the folder for temporary files; on Linux alone it is known how."""
    if not sys.platform.startswith("linux"):
        return ()
    from rtrace.operations.machine.file_systems import examine_file_systems
    from rtrace.operations.machine.overlay import examine_overlay

    return (examine_overlay(), *examine_file_systems((Path(), temporary_folder())))


def trace_nothing(engine: str, folder: Path) -> None:
    """Trace true(1) into a new trace directory. Raises RtraceError where that cannot be traced."""
    from rtrace.capture.loop.engines import VARIABLE
    from rtrace.operations.trace import TraceRequest, trace_into
    from rtrace.trace.directory import TraceDirectory

    os.environ[VARIABLE] = engine
    trace_into(
        TraceDirectory(folder),
        TraceRequest((b"true",), keep=None),
        on_waiting=lambda _programs: None,
        on_loss=lambda _what, _advice: None,
    )


def list_places(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return where to look for leftovers: in these folders, in those for temporary files, and in the cache."""
    places: dict[str, Path] = {}
    for folder in (*folders, temporary_folder(), IN_MEMORY, find_place()):
        places.setdefault(os.path.realpath(folder), folder)
    return tuple(places.values())


def find_all(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the names of what killed processes of rtrace left; nothing is changed."""
    found: list[str] = []
    for folder in list_places(folders):
        found += (printable(os.fsencode(trace.path)) for trace in find_unsettled(folder))
        found += (printable(os.fsencode(path)) for path in find_leftovers(folder))
    for unpacker in load_unpackers():
        if isinstance(unpacker, Cleaner):
            found += unpacker.list_leftovers()
    return tuple(found)


def clean_all(folders: Iterable[Path]) -> tuple[str, ...]:
    """Put in order what killed processes of rtrace left; return what was done, a sentence each."""
    told: list[str] = []
    for folder in list_places(folders):
        for trace in find_unsettled(folder):
            told += settle(trace)
        told += (f"removed {printable(os.fsencode(path))}" for path in clean_folder(folder))
    for unpacker in load_unpackers():
        if isinstance(unpacker, Cleaner):
            told += (f"removed {name}" for name in unpacker.clean())
    return tuple(told)
