"""How a frozen program of this machine is started."""

from __future__ import annotations

import os
import platform

from rtrace.freezing.calls import NUMBERS, make_filter
from rtrace.freezing.model import Freeze, choose_beginning
from rtrace.freezing.variables import list_frozen
from rtrace.linux.interfaces import own_interface
from rtrace.linux.libc import check, load_libc
from rtrace.linux.seccomp import install_watched_filter

ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)


def choose_freeze(environ: tuple[bytes, ...]) -> tuple[Freeze, tuple[bytes, ...]]:
    """Return the freeze of a program with an environment, item by item as execve(2) takes it, and that with more.

    Its clock begins at SOURCE_DATE_EPOCH, else at a fixed time.
    """
    variables: dict[bytes, bytes | None] = {}
    for item in environ:
        name, sign, value = item.partition(b"=")
        variables[name] = value if sign else None
    freeze = Freeze(choose_beginning(variables, None))
    wanted = list_frozen(variables, freeze, platform.machine())
    kept = tuple(item for item in environ if item.partition(b"=")[0] not in wanted)
    return freeze, (*kept, *(name + b"=" + value for name, value in wanted.items()))


def can_answer() -> bool:
    """Whether calls of this machine's programs can be answered."""
    return own_interface() in NUMBERS


def fix_process(freeze: Freeze) -> None:
    """Fix where the programs of this process will lie in memory, and on which processors they run. Raises OSError."""
    if not freeze.of("address"):
        check(load_libc().personality(ADDR_NO_RANDOMIZE))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: 1 + freeze.of("machine")])


def enter_freeze(freeze: Freeze) -> None:
    """Have this process, whose tracer answers, stop at calls that name no files. Raises OSError."""
    fix_process(freeze)
    if can_answer():
        install_watched_filter(make_filter(traced=True), listening=False)
