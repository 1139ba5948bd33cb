"""Every system call of the kernel, and what rtrace does about it.

A call that can name, create, change, list or execute a file, change the place where a process stands, or reach another
process or host is in ``calls.CALLS``; those among them with ``Action.ESCAPE`` or ``Action.CHROOT`` are told to the
user. The calls of ``calls.REFUSED`` are answered with ENOSYS. All others are here, under the reason why they need not
be seen. Names are those of ``numbers.load_numbers``.
"""

from __future__ import annotations

from enum import Enum

from rtrace.capture.kernel.call_table import CALLS, REFUSED, Action


class Answer(Enum):
    """What is done about a call."""

    DECODED = "decoded"
    REPORTED = "decoded, and reported as an escape"
    REFUSED = "refused"
    IGNORED = "ignored, with a reason"


IGNORED = {
    "It works on a descriptor. What is read, written, copied, mapped or locked through one was seen when it was opened,"
    " and a file opened for writing was kept as it was.": (
        "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek llseek close close_range"
        " dup dup2 dup3 fcntl fcntl64 flock fsync fdatasync sync syncfs sync_file_range fadvise64 fadvise64_64"
        " readahead copy_file_range sendfile sendfile64 splice tee vmsplice ftruncate ftruncate64 fallocate"
        " io_setup io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 io_destroy"
        " mmap mmap2 old_mmap remap_file_pages cachestat"
    ),
    "It works on a descriptor and changes what a manifest does not hold (flags of chattr, a device's settings), or"
    " copies from one descriptor to another (FICLONE), whose files were seen when they were opened.": "ioctl",
    "It lists a directory by its descriptor: a directory opened for reading counts as listed, and its entries are noted"
    " then.": "getdents getdents64 old_readdir",
    "It asks about what a descriptor stands for, which was seen when it was opened.": (
        "fstat fstat64 newfstat fstatfs fstatfs64 fgetxattr flistxattr quotactl_fd kcmp lookup_dcookie"
    ),
    "It tells of mounts, as files of /proc do, or of filesystems in general.": "statmount listmount sysfs ustat",
    "It goes on with a mount that fsopen or fspick began, and either of them is reported.": "fsconfig fsmount",
    "It asks where the process stands, which chdir and the beginning of the run have told.": "getcwd",
    "It waits for changes of files; those to be watched are named by inotify_add_watch and fanotify_mark.": (
        "inotify_init inotify_init1 inotify_rm_watch fanotify_init"
    ),
    "It needs a ring of io_uring_setup, which is refused.": "io_uring_enter io_uring_register",
    "It makes a file in memory that has no name and that the run itself fills.": "memfd_create memfd_secret",
    "It makes or serves a pipe, an event or a socket; where a socket leads is told by bind, connect and the calls that"
    " send. Whoever connects to a server of the run comes with what the run answers, not with files.": (
        "pipe pipe2 eventfd eventfd2 signalfd signalfd4 timerfd timerfd_create timerfd_settime timerfd_settime64"
        " timerfd_gettime timerfd_gettime64 userfaultfd socket socketpair listen accept accept4 shutdown"
        " getsockname getpeername setsockopt recv recvfrom recvmsg recvmmsg recvmmsg_time64"
    ),
    "It waits for descriptors.": (
        "poll ppoll ppoll_time64 select old_select pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl"
        " epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2"
    ),
    "It uses a message queue by its descriptor; mq_open has named it.": (
        "mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify mq_getsetattr"
    ),
    "It shares memory, semaphores or messages under a number instead of a name (sysvipc(7)): no file is involved, and"
    " what is shared with anything but the run is lost when the machine stops.": (
        "ipc shmget shmat shmdt shmctl semget semop semtimedop semtimedop_time64 semctl msgget msgsnd msgrcv msgctl"
    ),
    "It arranges the caller's memory.": (
        "brk munmap mremap mprotect pkey_mprotect pkey_alloc pkey_free madvise process_madvise msync mincore mlock"
        " mlock2 mlockall munlock munlockall mbind get_mempolicy set_mempolicy set_mempolicy_home_node migrate_pages"
        " move_pages membarrier mseal map_shadow_stack process_mrelease"
    ),
    "It begins, ends or waits for a process: ptrace tells of births, executions and ends.": (
        "fork vfork clone clone3 exit exit_group wait4 waitid waitpid pidfd_open restart_syscall set_tid_address"
    ),
    "It sends or takes a signal, which carries no data; ptrace tells of those that end a process.": (
        "kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo rt_sigaction rt_sigprocmask"
        " rt_sigpending rt_sigtimedwait rt_sigtimedwait_time64 rt_sigsuspend rt_sigreturn sigaltstack sigaction"
        " sigprocmask sigpending sigsuspend sigreturn signal sgetmask ssetmask pause alarm"
    ),
    "It synchronises threads.": (
        "futex futex_time64 futex_wait futex_wake futex_waitv futex_requeue set_robust_list get_robust_list rseq"
        " sched_yield"
    ),
    "It asks or sets the time, or waits for it: a replay runs at another time.": (
        "time stime gettimeofday settimeofday clock_gettime clock_gettime64 clock_settime clock_settime64 clock_getres"
        " clock_getres_time64 clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep"
        " times getitimer setitimer timer_create timer_settime timer_settime64 timer_gettime timer_gettime64"
        " timer_getoverrun timer_delete"
    ),
    "It gives chance, which is another one at each run.": "getrandom",
    "It asks or sets who the process is, its groups or its privileges; the run's own are recorded.": (
        "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid"
        " setresgid setfsuid setfsgid setgroups capget capset"
        " getuid16 geteuid16 getgid16 getegid16 getresuid16 getresgid16 getgroups16 setuid16 setgid16 setreuid16"
        " setregid16 setresuid16 setresgid16 setfsuid16 setfsgid16 setgroups16"
    ),
    "It asks or sets the process's place among processes, its limits, priority or processors.": (
        "getpid gettid getppid getpgid setpgid getpgrp getsid setsid getrlimit old_getrlimit setrlimit prlimit64"
        " getrusage getpriority setpriority nice ioprio_get ioprio_set getcpu sched_setaffinity sched_getaffinity"
        " sched_setscheduler sched_getscheduler sched_setparam sched_getparam sched_setattr sched_getattr"
        " sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64"
        " umask vhangup"
    ),
    "It configures the process itself or its processor.": (
        "arch_prctl personality modify_ldt set_thread_area get_thread_area vm86 vm86old iopl ioperm uprobe uretprobe"
    ),
    "It takes rights from the process, which a replay may do as well.": (
        "landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_get_self_attr lsm_set_self_attr"
        " lsm_list_modules"
    ),
    "It measures.": "perf_event_open",
    "It asks about the machine or names it: the run's machine is recorded, and a replay runs on another one.": (
        "uname olduname oldolduname sysinfo syslog sethostname setdomainname sysctl _sysctl"
    ),
    "It uses keys that the kernel keeps, which are secrets that no bundle should hold.": ("add_key request_key keyctl"),
    "No kernel that rtrace runs on has it: it was removed, or never was more than a number.": (
        "afs_syscall bdflush create_module get_kernel_syms getpmsg nfsservctl putpmsg query_module security tuxcall"
        " vserver"
    ),
}
"""Calls that run at full speed, unseen, by the reason why."""


def find_treatments(call: str) -> list[Answer]:
    """Name everything that is done about a call; a test sees to it that it is exactly one thing."""
    found = []
    if call in CALLS:
        reported = CALLS[call].action in (Action.ESCAPE, Action.CHROOT)
        found.append(Answer.REPORTED if reported else Answer.DECODED)
    if call in REFUSED:
        found.append(Answer.REFUSED)
    return found + [Answer.IGNORED for calls in IGNORED.values() for name in calls.split() if name == call]
