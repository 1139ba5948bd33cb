"""The launchers of a container, put back before each replay but the first.

What root replays in a container may write there. A launcher brings the filter of system calls, so none is started that
a run may have exchanged; where it put something there that cannot be replaced, there is no further replay.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO

from rtrace.interrupts import shielded
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.engines.image.rootfs import make_own_header

UNUSED = frozenset({"created", "configured"})
"""What engines call a container that nothing has run in."""
NO_MORE: Mapping[str, bytes] = MappingProxyType({})


GIVEN = f"{FOLDER}/.given"
"""The launcher of a run that is changed, or made up for one replay: no run of a bundle is called so."""


def was_used(container: Thing) -> bool:
    """Whether something has run in a container."""
    return (container.facts.get("State") or {}).get("Status") not in UNUSED


def end_stray(engine: Engine, container: Thing) -> None:
    """End a container that runs although nobody of rtrace uses it: somebody else started it."""
    if (container.facts.get("State") or {}).get("Running"):
        engine.kill(container.id)


def put_launchers_back(
    engine: Engine, container: Thing, programs: Mapping[str, bytes], more: Mapping[str, bytes] = NO_MORE
) -> None:
    """Write the launchers, by their paths, into a container, which is ended if it runs. Raises TargetError.

    ``more`` are programs of one replay, which the image does not have.
    """
    if not was_used(container):
        programs = {}
    end_stray(engine, container)
    if programs or more:
        put_programs(engine, container, {**programs, **more})


@contextlib.contextmanager
def emptied_afterwards(engine: Engine, container: Thing, paths: Iterable[str]) -> Iterator[None]:
    """Empty programs when the block ends: what one replay was given, such as a password, is not for the next."""
    try:
        yield
    finally:
        empty = dict.fromkeys(paths, b"")
        if empty:
            with shielded():
                put_programs(engine, container, empty)


def put_programs(engine: Engine, container: Thing, programs: Mapping[str, bytes]) -> None:
    """Write programs, by their paths, into a container. Raises TargetError."""

    def write(stream: IO[bytes]) -> None:
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            tar.addfile(make_own_header(FOLDER, tarfile.DIRTYPE, 0))
            for path, program in programs.items():
                tar.addfile(make_own_header(path, tarfile.REGTYPE, len(program)), io.BytesIO(program))

    engine.put(container.id, write)
