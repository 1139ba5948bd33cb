"""The written inventory: something is done about every system call, and its numbers are the kernel's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inventory import IGNORED, Answer, find_treatments
from rtrace.capture.books.notices import ESCAPES
from rtrace.capture.calls.path_calls import DECODERS
from rtrace.capture.kernel.architecture import load_architecture
from rtrace.capture.kernel.call_table import CALLS, CONDITIONS, FSTAT_ALIASES, REFUSED, SIMPLE_ACTIONS, Action
from rtrace.capture.kernel.numbers import load_numbers
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES

NUMBERS = {name: load_numbers(name) for name in ("x86_64", "i386", "aarch64")}
EVERYTHING = sorted(set().union(*NUMBERS.values()))
HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "i386": "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
LEFT_OUT = {
    "x86_64": set(),
    # Numbers that were given away and never served.
    "i386": {
        "afs_syscall", "break", "create_module", "ftime", "get_kernel_syms", "getpmsg", "gtty", "idle", "lock", "mpx",
        "prof", "profil", "putpmsg", "query_module", "stty", "ulimit", "vserver",
    },
    # The generic table's calls for 32-bit machines with 64-bit time, a placeholder, and the count of all.
    "aarch64": {
        "arch_specific_syscall", "clock_adjtime64", "clock_getres_time64", "clock_gettime64", "clock_nanosleep_time64",
        "clock_settime64", "futex_time64", "io_pgetevents_time64", "mq_timedreceive_time64", "mq_timedsend_time64",
        "ppoll_time64", "pselect6_time64", "recvmmsg_time64", "rt_sigtimedwait_time64", "sched_rr_get_interval_time64",
        "semtimedop_time64", "syscalls", "timer_gettime64", "timer_settime64", "timerfd_gettime64",
        "timerfd_settime64", "utimensat_time64",
    },
}  # fmt: skip
OTHER_NAMES = {
    "x86_64": {"timerfd_create": "timerfd"},
    "aarch64": {"fstatat": "newfstatat", "sync_file_range2": "sync_file_range"},
    # The headers name interfaces for C programs, the tables the kernel's functions; see load_numbers.
    "i386": {
        "oldstat": "stat", "stat": "newstat", "oldlstat": "lstat", "lstat": "newlstat", "oldfstat": "fstat",
        "fstat": "newfstat", "umount": "oldumount", "umount2": "umount", "getrlimit": "old_getrlimit",
        "ugetrlimit": "getrlimit", "select": "old_select", "_newselect": "select", "readdir": "old_readdir",
        "mmap": "old_mmap", "_llseek": "llseek", "_sysctl": "sysctl",
    },
}  # fmt: skip


@pytest.mark.parametrize("call", EVERYTHING)
def test_exactly_one_thing_is_done_about_a_call(call: str) -> None:
    """Every call of every table is decoded, reported, refused or ignored for one reason: not none, not two."""
    assert len(find_treatments(call)) == 1


def test_what_the_inventory_names_exists() -> None:
    """Decoded, refused, conditional and ignored calls are all known to at least one architecture."""
    ignored = {name for calls in IGNORED.values() for name in calls.split()}
    unheard_of = {"_sysctl", "afs_syscall", "recv", *LEFT_OUT["i386"]}
    assert set(CALLS) | set(REFUSED) | set(CONDITIONS) | set(FSTAT_ALIASES) <= set(EVERYTHING)
    assert ignored - unheard_of <= set(EVERYTHING)


@pytest.mark.parametrize("architecture", sorted(HEADERS))
def test_numbers_are_those_of_the_kernels_headers(architecture: str) -> None:
    """Every call of this machine's kernel headers has the same number in our table, under a name of the table's."""
    header = Path(HEADERS[architecture])
    if not header.exists():
        pytest.skip(f"needs {header}")
    ours = NUMBERS[architecture]
    other = OTHER_NAMES[architecture]
    different = {}
    for macro, number in re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()):
        if macro in LEFT_OUT[architecture]:
            continue
        name = other.get(macro) or wide_or_narrow(macro, ours) if architecture == "i386" else other.get(macro, macro)
        if ours.get(name) != int(number):
            different[macro] = (int(number), ours.get(name))
    assert different == {}


def wide_or_narrow(macro: str, ours: dict[str, int]) -> str:
    """Name in the table a call of i386 that takes user ids: ``chown`` has 16 bits in the headers, ``chown32`` 32."""
    if macro.endswith("32") and macro not in ours:
        return macro[:-2]
    return f"{macro}16" if f"{macro}16" in ours else macro


def test_every_escape_has_its_words() -> None:
    """What is reported can be said in a sentence, and there is no sentence for what is not reported."""
    reported = {call for call in CALLS if Answer.REPORTED in find_treatments(call)}
    assert reported | {"seccomp"} == set(ESCAPES)  # of this one, what came of it is looked at


def test_simple_calls_have_a_decoder() -> None:
    """What is remembered as a call with one path is what path_calls decodes."""
    assert set(DECODERS) == SIMPLE_ACTIONS
    assert {call.action for call in CALLS.values()} <= set(Action)


@pytest.mark.parametrize("name", sorted(AUDIT_ARCHITECTURES))
def test_architectures_agree_with_the_tables(name: str) -> None:
    """What the filter is built from covers the decoded calls that the architecture has, each under its number."""
    architecture = load_architecture(name)
    decoded = {call for call in CALLS if call in load_numbers(name)}
    assert set(architecture.names.values()) == decoded
    assert len(architecture.calls) == len(decoded)
    assert set(architecture.conditions) <= set(architecture.calls)
    assert set(architecture.simple) < set(architecture.calls)


THAT_MATTER = """
copy_file_range sendfile splice memfd_create process_vm_readv process_vm_writev bpf fanotify_init fanotify_mark
inotify_init1 inotify_add_watch io_uring_setup io_uring_enter io_uring_register mq_open mq_timedsend getdents64
ftruncate fchmod fchown fsetxattr name_to_handle_at open_by_handle_at openat2 statx renameat2 execveat chroot
pivot_root mount open_tree move_mount fsopen pidfd_getfd file_setattr
"""


@pytest.mark.parametrize("call", THAT_MATTER.split())
def test_inventory_names_the_calls_that_matter(call: str) -> None:
    """The calls that peers forget are in the tables, so that the inventory must speak of them."""
    assert call in EVERYTHING
