"""What a replay may use of the machine, as a value."""

from __future__ import annotations

from dataclasses import dataclass

TIMED_OUT = 124
"""The exit status of a replay that its time limit ended, as timeout(1) has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one replay, all its processes together; None is no limit of its own.

    ``timeout`` is in seconds of wall time, ``memory``, ``output`` (standard output and error) and ``disk`` (what is
    written below the target) in bytes, ``cpus`` in processors, ``processes`` in processes and threads.
    """

    timeout: float | None = None
    memory: int | None = None
    cpus: float | None = None
    processes: int | None = 8192
    output: int | None = 1 << 30
    disk: int | None = None


DEFAULT_LIMITS = Limits()

NESTED_NAMESPACES, KEYRINGS, NUMA = "nested-namespaces", "keyrings", "numa"
IO_URING, USERFAULTFD, PERF, BPF, VSOCK = "io-uring", "userfaultfd", "perf", "bpf", "vsock"

ALLOWABLE = {
    NESTED_NAMESPACES: "namespaces and mounts of its own (a sandbox or a container inside the replay)",
    KEYRINGS: "the kernel's keyrings",
    NUMA: "choosing where memory lies on machines of several nodes",
    IO_URING: "io_uring",
    USERFAULTFD: "userfaultfd(2)",
    PERF: "performance counters",
    BPF: "programs for the kernel's virtual machine",
    VSOCK: "sockets to the hypervisor, and socketcall(2) of 32-bit programs",
}
"""What a person may open to a replay by name, and what that is."""
