"""The system calls that a replay is refused, by what a person may open with ``--allow``.

Nothing that Docker's default seccomp profile refuses to a container without added capabilities is let through, with one
exception: personality(2) may turn address randomization off, which touches nobody else and which reproducible runs do
(``setarch -R``). Calls newer than this table do not exist for a replay.

The columns are the calls' numbers on x86-64, i386, aarch64 and arm (EABI); None where there is no such call.
"""

from __future__ import annotations

from typing import TypeAlias

from rtrace.limits import BPF, IO_URING, KEYRINGS, NESTED_NAMESPACES, NUMA, PERF, USERFAULTFD, VSOCK

Numbers: TypeAlias = "tuple[int | None, int | None, int | None, int | None]"

LAST_CALL = 469
"""file_setattr: the last call this table was checked against, the same number everywhere."""

KERNEL: dict[str, Numbers] = {
    "_sysctl": (156, 149, None, 149),
    "acct": (163, 51, 89, 51),
    "clock_adjtime": (305, 343, 266, 372),
    "clock_adjtime64": (None, 405, None, 405),
    "clock_settime": (227, 264, 112, 262),
    "clock_settime64": (None, 404, None, 404),
    "create_module": (174, 127, None, None),
    "delete_module": (176, 129, 106, 129),
    "fanotify_init": (300, 338, 262, 367),
    "finit_module": (313, 350, 273, 379),
    "get_kernel_syms": (177, 130, None, None),
    "init_module": (175, 128, 105, 128),
    "ioperm": (173, 101, None, None),
    "iopl": (172, 110, None, None),
    "kcmp": (312, 349, 272, 378),
    "kexec_file_load": (320, None, 294, 401),
    "kexec_load": (246, 283, 104, 347),
    "lookup_dcookie": (212, 253, 18, 249),
    "nfsservctl": (180, 169, 42, 169),
    "open_by_handle_at": (304, 342, 265, 371),
    "pidfd_getfd": (438, 438, 438, 438),
    "query_module": (178, 167, None, None),
    "quotactl": (179, 131, 60, 131),
    "quotactl_fd": (443, 443, 443, 443),
    "reboot": (169, 88, 142, 88),
    "setdomainname": (171, 121, 162, 121),
    "sethostname": (170, 74, 161, 74),
    "settimeofday": (164, 79, 170, 79),
    "stime": (None, 25, None, None),
    "swapoff": (168, 115, 225, 115),
    "swapon": (167, 87, 224, 87),
    "sysfs": (139, 135, None, 135),
    "syslog": (103, 103, 116, 103),
    "uselib": (134, 86, None, 86),
    "ustat": (136, 62, None, 62),
    "vhangup": (153, 111, 58, 111),
    "vm86": (None, 166, None, None),
    "vm86old": (None, 113, None, None),
}
"""What configures a kernel, or reaches files and processes past their names: never allowed."""

BY_NAME: dict[str, dict[str, Numbers]] = {
    NESTED_NAMESPACES: {
        "fsconfig": (431, 431, 431, 431),
        "fsmount": (432, 432, 432, 432),
        "fsopen": (430, 430, 430, 430),
        "fspick": (433, 433, 433, 433),
        "mount": (165, 21, 40, 21),
        "mount_setattr": (442, 442, 442, 442),
        "move_mount": (429, 429, 429, 429),
        "open_tree": (428, 428, 428, 428),
        "open_tree_attr": (467, 467, 467, 467),
        "pivot_root": (155, 217, 41, 218),
        "setns": (308, 346, 268, 375),
        "umount": (None, 22, None, None),
        "umount2": (166, 52, 39, 52),
        "unshare": (272, 310, 97, 337),
    },
    KEYRINGS: {
        "add_key": (248, 286, 217, 309),
        "keyctl": (250, 288, 219, 311),
        "request_key": (249, 287, 218, 310),
    },
    NUMA: {
        "get_mempolicy": (239, 275, 236, 320),
        "mbind": (237, 274, 235, 319),
        "migrate_pages": (256, 294, 238, 400),
        "move_pages": (279, 317, 239, 344),
        "set_mempolicy": (238, 276, 237, 321),
        "set_mempolicy_home_node": (450, 450, 450, 450),
    },
    USERFAULTFD: {"userfaultfd": (323, 374, 282, 388)},
    PERF: {"perf_event_open": (298, 336, 241, 364)},
    BPF: {"bpf": (321, 357, 280, 386)},
    VSOCK: {"socketcall": (None, 102, None, None)},
}
"""Refused with EPERM unless allowed."""

UNKNOWN_TO_PROGRAMS: dict[str, dict[str, Numbers]] = {
    IO_URING: {
        "io_uring_enter": (426, 426, 426, 426),
        "io_uring_register": (427, 427, 427, 427),
        "io_uring_setup": (425, 425, 425, 425),
    },
    NESTED_NAMESPACES: {"clone3": (435, 435, 435, 435)},
}
"""Answered with ENOSYS unless allowed: programs then fall back to calls that a filter can look into."""

CLONE: Numbers = (56, 120, 220, 120)
SOCKET: Numbers = (41, 359, 198, 281)
IOCTL: Numbers = (16, 54, 29, 54)
PERSONALITY: Numbers = (135, 136, 92, 136)
SETRLIMIT: Numbers = (160, 75, 164, 75)
PRLIMIT: Numbers = (302, 340, 261, 369)
"""Looked into: namespaces, address families, requests that type into a terminal, ways to be another system, and the
limit on core dumps."""
