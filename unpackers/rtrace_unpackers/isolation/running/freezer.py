"""The process that answers the calls of a frozen replay: outside of its namespace of processes, and its tracer.

keeper -- fork --> freezer            before there is a PID namespace
keeper -- id of the first process --> freezer -- seized: go --> first process
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rtrace.freezing.model import Freeze
from rtrace.freezing.starting import fix_process
from rtrace.freezing.supervising import Supervisor
from rtrace.freezing.tree import FrozenTree
from rtrace.linux.seccomp import install_filter
from rtrace_unpackers.isolation.planning.frozen import plan_frozen
from rtrace_unpackers.isolation.planning.isolation_plan import FrozenWorld

NUMBER = struct.Struct("=i")
MOST_TOLD = 1 << 20
"""Bytes of names that a program can have written down."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How a first process waits for its freezer: ``ids`` takes its id to that, ``go`` brings the answer."""

    ids: int
    go: int

    def tell(self, first: int) -> None:
        """Tell the freezer whom to seize; of a freezer that has ended, the first process learns by itself."""
        with contextlib.suppress(OSError):  # EPIPE
            os.write(self.ids, NUMBER.pack(first))
        self.close()

    def close(self) -> None:
        """Close this process's ends."""
        os.close(self.ids)
        os.close(self.go)

    def wait(self) -> None:
        """Wait to be seized. Raises OSError where the freezer could not."""
        os.close(self.ids)
        if not os.read(self.go, 1):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@dataclass(frozen=True, slots=True)
class Frozen:
    """How a replay is frozen. ``filter`` stops its calls, ``release`` is the kernel's for uname(2).

    ``told`` is the descriptor of a file to which the names are appended that the program makes, a line each.
    """

    freeze: Freeze
    filter: bytes
    release: bytes | None = None
    told: int | None = None

    def plan(self) -> FrozenWorld:
        """Plan what the replay finds besides the answers to its calls."""
        return plan_frozen(self.freeze)

    def fork(self, prepare: Callable[[set[int | None]], None]) -> Gate:
        """Fork the freezer; ``prepare`` closes all descriptors in it but some."""
        ids, ids_end = os.pipe()
        go, go_end = os.pipe()
        if os.fork() == 0:
            try:
                prepare({ids, go_end, self.told})
                supervise(self, ids, go_end)
            finally:
                os._exit(0)
        os.close(ids)
        os.close(go_end)
        return Gate(ids_end, go)

    def enter(self) -> None:
        """In the first process: fix its addresses and its processors, and enter the filter. Raises OSError."""
        fix_process(self.freeze)
        install_filter(self.filter)


def supervise(frozen: Frozen, ids: int, go: int) -> None:
    """Seize the first process, and answer the calls of its tree until that has ended."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    message = os.read(ids, NUMBER.size)
    if len(message) < NUMBER.size:
        return
    (first,) = NUMBER.unpack(message)

    left = MOST_TOLD

    def tell(name: bytes) -> None:
        nonlocal left
        left -= len(name) + 1
        if frozen.told is not None and left >= 0:
            with contextlib.suppress(OSError):  # the disk is full
                os.write(frozen.told, name.replace(b"\n", b"?") + b"\n")

    supervisor = Supervisor(
        first,
        lambda pid: FrozenTree(pid, frozen.freeze, frozen.release, tell),
        frozen.freeze.of("thread-order"),
    )
    os.write(go, b"g")
    os.close(go)
    supervisor.follow()
