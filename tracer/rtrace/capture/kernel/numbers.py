"""The kernel's system call numbers, architecture by architecture: python-ptrace's tables, and what they lack."""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def count_from(first: int, names: str) -> dict[str, int]:
    """Assign numbers to names in order; ``-`` holds the place of an unused number."""
    return {name: number for number, name in enumerate(names.split(), first) if name != "-"}


def read_pairs(pairs: str) -> dict[str, int]:
    """Read names with their numbers, separated by colons."""
    return {name: int(number) for name, _, number in (pair.partition(":") for pair in pairs.split())}


SINCE_LINUX_5_10 = count_from(
    440,
    "process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule"
    " landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2"
    " map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr"
    " lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr",
)
"""Calls up to Linux 6.18 that python-ptrace 0.9.9 does not know. Since Linux 5.1 they have one number everywhere."""

X86_64_SINCE_LINUX_6_11 = {"uretprobe": 335, "uprobe": 336}
"""Calls in a gap of x86-64's own numbers; from the kernel's arch/x86/entry/syscalls/syscall_64.tbl."""

I386_SINCE_LINUX_2_6_22 = count_from(
    320,
    "utimensat signalfd timerfd_create eventfd fallocate timerfd_settime timerfd_gettime signalfd4 eventfd2"
    " epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init"
    " fanotify_mark prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv"
    " process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf"
    " execveat socket socketpair bind connect listen accept4 getsockopt setsockopt getsockname getpeername sendto"
    " sendmsg recvfrom recvmsg shutdown userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect"
    " pkey_alloc pkey_free statx arch_prctl io_pgetevents rseq - - - - - - semget semctl shmget shmctl shmat shmdt"
    " msgget msgsnd msgrcv msgctl clock_gettime64 clock_settime64 clock_adjtime64 clock_getres_time64"
    " clock_nanosleep_time64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 utimensat_time64"
    " pselect6_time64 ppoll_time64 - io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64"
    " semtimedop_time64 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64 pidfd_send_signal"
    " io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open"
    " clone3 close_range openat2 pidfd_getfd faccessat2",
)
"""Where python-ptrace's table for i386 ends; from the kernel's arch/x86/entry/syscalls/syscall_32.tbl."""

ARM = read_pairs(
    "open:5 creat:8 link:9 unlink:10 execve:11 chdir:12 mknod:14 chmod:15 lchown16:16 mount:21 ptrace:26"
    " access:33 rename:38 mkdir:39 rmdir:40 acct:51 umount2:52 chroot:61 symlink:83 readlink:85 uselib:86"
    " swapon:87 reboot:88 truncate:92 fchmod:94 fchown16:95 statfs:99 newstat:106 newlstat:107 swapoff:115"
    " init_module:128 delete_module:129 quotactl:131 fchdir:133 chown16:182 truncate64:193 stat64:195 lstat64:196"
    " lchown:198 fchown:207 chown:212 pivot_root:218 setxattr:226 lsetxattr:227 fsetxattr:228 getxattr:229"
    " lgetxattr:230 listxattr:232 llistxattr:233 removexattr:235 lremovexattr:236 fremovexattr:237 statfs64:266"
    " utimes:269 mq_open:274 mq_unlink:275 bind:282 connect:283 sendto:290 sendmsg:296 inotify_add_watch:317"
    " openat:322 mkdirat:323 mknodat:324 fchownat:325 futimesat:326 fstatat64:327 unlinkat:328 renameat:329"
    " linkat:330 symlinkat:331 readlinkat:332 fchmodat:333 faccessat:334 unshare:337 kexec_load:347 utimensat:348"
    " fanotify_mark:368 name_to_handle_at:370 open_by_handle_at:371 sendmmsg:374 setns:375 process_vm_readv:376"
    " process_vm_writev:377 finit_module:379 renameat2:382 bpf:386 execveat:387 statx:397 kexec_file_load:401"
    " utimensat_time64:412 io_uring_setup:425 open_tree:428 move_mount:429 fsopen:430 fspick:433 openat2:437"
    " pidfd_getfd:438 faccessat2:439 prctl:172 getsockopt:295 seccomp:383 clone:120 clone3:435"
)
"""The calls of 32-bit ARM (EABI) that are looked at, up to Linux 5.8; from the kernel's arch/arm/tools/syscall.tbl.

python-ptrace has no table for it. Names are as in its table for i386, see ``load_numbers``.
"""

ADDED = {"x86_64": X86_64_SINCE_LINUX_6_11, "i386": I386_SINCE_LINUX_2_6_22}


def load_numbers(architecture: str) -> dict[str, int]:
    """Return name -> number for ``x86_64``, ``i386``, ``aarch64`` or ``arm``.

    The table's file is loaded by itself: importing it through its package brings in the debugger and its helpers,
    which costs more (57 ms) than tracing a short program. Where a name has two numbers the first one counts: on
    x86-64 the second is that of the x32 ABI. Names are the table's, which for i386 are those of the kernel's functions
    rather than of its headers: ``newstat`` is what a C program calls ``stat``, ``stat`` what nobody calls any more,
    ``chown`` the call with 32-bit ids and ``chown16`` its forerunner, ``umount`` is umount2(2).
    """
    if architecture == "arm":
        return ARM | SINCE_LINUX_5_10
    package = find_spec("ptrace")
    if package is None or package.submodule_search_locations is None:
        raise ModuleNotFoundError("python-ptrace is not installed", name="ptrace")
    file = Path(next(iter(package.submodule_search_locations))) / "syscall" / "linux" / f"{architecture}.py"
    spec = spec_from_file_location(f"ptrace.syscall.linux.{architecture}", file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"python-ptrace has no table for {architecture}", name="ptrace")
    table = module_from_spec(spec)
    spec.loader.exec_module(table)
    numbers: dict[str, int] = {}
    for number, name in sorted(table.SYSCALL_NAMES.items()):
        numbers.setdefault(name, number)
    return numbers | ADDED.get(architecture, {}) | SINCE_LINUX_5_10
