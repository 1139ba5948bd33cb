"""What a frozen replay finds besides answers to its calls: files of /proc, random devices, ids of processes."""

from __future__ import annotations

from collections.abc import Mapping

from rtrace.freezing.answers import STREAM
from rtrace.freezing.model import Freeze
from rtrace.freezing.processes import make_bytes
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.planning.isolation_plan import FrozenWorld
from rtrace_unpackers.isolation.planning.operations import (
    MakeDirectory,
    Mount,
    Operation,
    Set,
    ShowFile,
    WriteFile,
)

FOLDER = b"dev/.frozen"
FLAGS = MountFlag.NO_SETUID | MountFlag.NO_DEVICES | MountFlag.NO_EXECUTION
LAST_PID = b"proc/sys/kernel/ns_last_pid"
PIDS_APART = 1000
OTHER_HOST = b"another-host"


def plan_frozen(freeze: Freeze) -> FrozenWorld:
    """Plan what a frozen replay finds."""
    return FrozenWorld(plan_settings(freeze), plan_files(freeze), OTHER_HOST if freeze.of("machine") else None)


def plan_files(freeze: Freeze) -> tuple[Operation, ...]:
    """Plan to show files in the place of those that tell of this machine, and of its random devices."""
    names = {path: b"%d" % number for number, path in enumerate(write_machine(freeze))}
    contents = write_machine(freeze)
    stream = make_bytes(f"{freeze.of('random')} device", STREAM)
    return (
        MakeDirectory(FOLDER, 0o755),
        Mount(FOLDER, b"tmpfs", b"tmpfs", FLAGS, b"mode=755,size=%d" % (2 * STREAM)),
        *(WriteFile(FOLDER + b"/" + names[path], content) for path, content in contents.items()),
        WriteFile(FOLDER + b"/stream", stream),
        *(ShowFile(FOLDER + b"/" + names[path], path) for path in contents),
        *(ShowFile(FOLDER + b"/stream", b"dev/" + name) for name in (b"random", b"urandom")),
    )


def write_machine(freeze: Freeze) -> Mapping[bytes, bytes]:
    """Return the contents of files that tell of a machine, by their paths."""
    other = freeze.of("machine")
    processors, memory = 1 + other, (8 + 8 * other) << 20
    model = b"another" if other else b"a processor"
    some = b"".join(
        b"processor\t: %d\nvendor_id\t: frozen\nmodel name\t: %s\ncpu MHz\t\t: %d.000\nflags\t\t: fpu sse sse2\n\n"
        % (number, model, 1000 + 500 * other)
        for number in range(processors)
    )
    seed = make_bytes(f"{freeze.of('random')} uuid", 16).hex()
    uuid = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8{seed[17:20]}-{seed[20:]}\n".encode()
    ticks = b"".join(b"cpu%s 0 0 0 0 0 0 0 0 0 0\n" % name for name in (b" ", *(b"%d" % n for n in range(processors))))
    online = b"0\n" if processors == 1 else b"0-%d\n" % (processors - 1)
    booted = freeze.began - 1000
    return {
        b"proc/cpuinfo": some,
        b"proc/meminfo": b"MemTotal: %14d kB\nMemFree: %15d kB\nMemAvailable: %10d kB\nSwapTotal: %13d kB\n"
        b"SwapFree: %14d kB\n" % (memory, memory // 2, memory // 2, 0, 0),
        b"proc/loadavg": b"0.00 0.00 0.00 1/1 1\n" if not other else b"7.50 5.25 3.00 9/99 1\n",
        b"proc/uptime": b"1000.00 1000.00\n",
        b"proc/stat": ticks + b"intr 0\nctxt 0\nbtime %d\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n" % booted,
        b"proc/sys/kernel/random/uuid": uuid,
        b"proc/sys/kernel/random/boot_id": uuid,
        b"sys/devices/system/cpu/online": online,
    }


def plan_settings(freeze: Freeze) -> tuple[Set, ...]:
    """Plan to let the ids of processes begin elsewhere, where they are varied."""
    other = freeze.of("process-id")
    return (Set(LAST_PID, b"%d" % (PIDS_APART * other + other)),) if other else ()
