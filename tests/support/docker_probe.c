/* What a replayed program can reach: a line for each call, with "ok" or the name of its error. Built statically.
   Nothing here does harm where it succeeds, but for the container it runs in. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *name, long result) {
    printf("%s %s\n", name, result >= 0 ? "ok" : strerrorname_np(errno) ? strerrorname_np(errno) : "unknown");
}

/* In a process of its own, so that a call that succeeds changes nothing for the next one. */
#define TRY(name, call)                                        \
    do {                                                       \
        fflush(stdout);                                        \
        pid_t child = fork();                                  \
        if (child == 0) {                                      \
            errno = 0;                                         \
            tell(name, (long)(call));                          \
            fflush(stdout);                                    \
            _exit(0);                                          \
        }                                                      \
        waitpid(child, NULL, 0);                               \
    } while (0)

static int opens(const char *path, int flags) { return open(path, flags); }

static int reads(const char *path) {
    char byte;
    int file = open(path, O_RDONLY | O_NONBLOCK);
    int size = file < 0 ? file : (int)read(file, &byte, 1);
    if (size == 0) errno = ENODATA;
    return size > 0 ? size : -1;
}

static int makes(const char *path) { return open(path, O_WRONLY | O_CREAT, 0600); }

static int makes_cgroup(const char *path) {
    struct statfs above;
    char name[256];
    if (statfs(path, &above) < 0) return -1;
    if (above.f_type != CGROUP_SUPER_MAGIC && above.f_type != CGROUP2_SUPER_MAGIC) { errno = ENOENT; return -1; }
    snprintf(name, sizeof name, "%s/rtrace", path);
    return mkdir(name, 0700);
}

static long clone_new(long flag) {
    long pid = syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid;
}

static long clone3_plain(void) {
    unsigned long arguments[8] = {0, 0, 0, 0, SIGCHLD, 0, 0, 0};
    long pid = syscall(SYS_clone3, arguments, sizeof arguments);
    if (pid == 0) _exit(0);
    return pid;
}

static long enter(const char *path) {
    int file = open(path, O_RDONLY);
    return file < 0 ? file : setns(file, 0);
}

static long by_handle(void) {
    struct { struct file_handle head; unsigned char rest[64]; } handle;
    memset(&handle, 0, sizeof handle);
    handle.head.handle_bytes = 8;
    handle.head.handle_type = 1;
    return syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
}

#ifdef __x86_64__
static long call_32(long number, long first, long second) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) { errno = (int)-(int)result; return -1; }
    return result;
}
#endif

static void status(const char *key) {
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':') printf("status %s", line);
    if (file) fclose(file);
}

int main(void) {
    struct timeval now;
    struct timespec also_now;
    struct timex clock = {.modes = ADJ_OFFSET};
    char page[4096] = {0};
    struct iovec here = {page, 8}, there = {(void *)0x400000, 8};

    gettimeofday(&now, 0);
    clock_gettime(CLOCK_REALTIME, &also_now);
    status("NoNewPrivs");
    status("Seccomp");
    status("CapEff");
    status("CapBnd");
    TRY("add_key", syscall(SYS_add_key, "user", "rtrace", "x", 1, KEY_SPEC_SESSION_KEYRING));
    TRY("request_key", syscall(SYS_request_key, "user", "rtrace", 0, KEY_SPEC_SESSION_KEYRING));
    TRY("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
    TRY("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("socket-raw", socket(AF_INET, SOCK_RAW, 1));
    TRY("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
    TRY("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
    TRY("io_uring_setup", syscall(SYS_io_uring_setup, 1, page));
    TRY("io_uring_enter", syscall(SYS_io_uring_enter, 0, 0, 0, 0, 0, 0));
    TRY("io_uring_register", syscall(SYS_io_uring_register, 0, 0, 0, 0));
    TRY("bpf", syscall(SYS_bpf, 0, page, 120));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
    TRY("perf_event_open", syscall(SYS_perf_event_open, page, 0, -1, -1, 0));
    TRY("unshare-user", unshare(CLONE_NEWUSER));
    TRY("unshare-mount", unshare(CLONE_NEWNS));
    TRY("unshare-net", unshare(CLONE_NEWNET));
    TRY("unshare-cgroup", unshare(CLONE_NEWCGROUP));
    TRY("unshare-time", unshare(0x80));
    TRY("unshare-files", unshare(CLONE_FILES));
    TRY("clone-user", clone_new(CLONE_NEWUSER));
    TRY("clone-pid", clone_new(CLONE_NEWPID));
    TRY("clone3", clone3_plain());
    TRY("setns", enter("/proc/self/ns/uts"));
    TRY("open_by_handle_at", by_handle());
    TRY("mount", mount("none", "/work", "tmpfs", 0, ""));
    TRY("remount-proc-sys", mount("none", "/proc/sys", "", MS_REMOUNT | MS_BIND, ""));
    TRY("umount", umount2("/proc", MNT_DETACH));
    TRY("move_mount", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    TRY("chroot", chroot("/"));
    TRY("mknod-disk", mknod("/work/disk", S_IFBLK | 0600, makedev(8, 0)));
    TRY("write-core_pattern", opens("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("write-hostname", opens("/proc/sys/kernel/hostname", O_WRONLY));
    TRY("write-sysrq", opens("/proc/sysrq-trigger", O_WRONLY));
    TRY("write-irq", opens("/proc/irq/default_smp_affinity", O_WRONLY));
    TRY("make-cgroup", makes_cgroup("/sys/fs/cgroup"));
    TRY("make-cgroup-memory", makes_cgroup("/sys/fs/cgroup/memory"));
    TRY("write-cgroup", opens("/sys/fs/cgroup/pids/pids.max", O_WRONLY));
    TRY("write-cgroup-kill", opens("/sys/fs/cgroup/cgroup.kill", O_WRONLY));
    TRY("write-uevent", opens("/sys/kernel/uevent_helper", O_WRONLY));
    TRY("read-kcore", reads("/proc/kcore"));
    TRY("read-kmsg", reads("/proc/kmsg"));
    TRY("read-keys", reads("/proc/keys"));
    TRY("open-mem", opens("/dev/mem", O_RDONLY));
    TRY("open-dev-kmsg", opens("/dev/kmsg", O_RDONLY));
    TRY("open-disk", opens("/dev/sda", O_RDONLY));
    TRY("open-docker", opens("/var/run/docker.sock", O_RDONLY));
    TRY("syslog", klogctl(3, page, sizeof page));
    TRY("reboot", reboot(RB_DISABLE_CAD));
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("init_module", syscall(SYS_init_module, page, 1, ""));
    TRY("delete_module", syscall(SYS_delete_module, "none", 0));
    TRY("settimeofday", settimeofday(&now, 0));
    TRY("clock_settime", clock_settime(CLOCK_REALTIME, &also_now));
    TRY("adjtimex", adjtimex(&clock));
    TRY("sethostname", sethostname("other", 5));
    TRY("swapon", swapon("/work", 0));
    TRY("acct", acct("/work/acct"));
    TRY("iopl", syscall(SYS_iopl, 3));
    TRY("setuid-root", setuid(0) == 0 && geteuid() == 0 ? 0 : -1);
    TRY("setuid-nobody-knows", setuid((uid_t)-1));
    TRY("nice", setpriority(0, 0, -5));
    TRY("trace-first", ptrace(PTRACE_ATTACH, 1, 0, 0));
    TRY("kill-first", kill(1, SIGKILL));
    TRY("memory-of-first", process_vm_readv(1, &here, 1, &there, 1, 0));
    TRY("open-mem-of-first", opens("/proc/1/mem", O_RDWR));
    TRY("read-environ-of-first", reads("/proc/1/environ"));
    TRY("open-root-of-first", opens("/proc/1/root/work", O_RDONLY));
    TRY("open-input-of-first", opens("/proc/1/fd/0", O_RDONLY));
    TRY("write-launcher", opens("/.rtrace/pause", O_WRONLY));
    TRY("write-etc-hosts", opens("/etc/hosts", O_WRONLY));
    TRY("make-in-root", makes("/made"));
    TRY("make-in-work", makes("/work/made"));
#ifdef __x86_64__
    TRY("x32-keyctl", syscall(0x40000000 | 250, 0, 0, 0));
    TRY("32-bit-keyctl", call_32(288, 0, KEY_SPEC_SESSION_KEYRING));
    TRY("32-bit-unshare", call_32(310, CLONE_NEWUSER, 0));
    TRY("32-bit-vsock", call_32(359, AF_VSOCK, SOCK_STREAM));
    TRY("32-bit-socketcall", call_32(102, 1, (long)page));
    TRY("32-bit-io_uring", call_32(425, 1, 0));
#endif
    TRY("descriptors-beyond-streams", fcntl(3, F_GETFD));
    return 0;
}
