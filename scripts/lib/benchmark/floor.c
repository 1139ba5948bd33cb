/* The kernel's share of tracing: asks it what rtrace asks it for each process and each call, and notes nothing.
 *
 *     floor COMMAND [ARGUMENT...]
 *
 * One thread follows the process tree with ptrace(2), one answers the notifications of seccomp_unotify(2) after reading
 * the path from the caller's memory. What rtrace takes beyond this is its own; what this takes beyond bare nobody who
 * traces in this way can save. x86-64 only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAY_ON_ONE_CPU 1UL /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6 */
#define SET_FLAGS SECCOMP_IOW(4, __u64)

static const struct {
    int number, path;
} calls[] = {
    {SYS_open, 0},   {SYS_stat, 0},     {SYS_lstat, 0},     {SYS_access, 0},   {SYS_execve, 0},     {SYS_chdir, 0},
    {SYS_rename, 0}, {SYS_mkdir, 0},    {SYS_rmdir, 0},     {SYS_unlink, 0},   {SYS_readlink, 0},   {SYS_openat, 1},
    {SYS_mkdirat, 1}, {SYS_unlinkat, 1}, {SYS_readlinkat, 1}, {SYS_faccessat, 1}, {SYS_faccessat2, 1}, {SYS_newfstatat, 1},
    {SYS_statx, 1},
};
enum { CALLS = sizeof calls / sizeof *calls, EMPTY_PATH = 0x1000 };

static int install(void)
{
    struct sock_filter code[3 * CALLS + 16];
    unsigned short length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int index = 0; index < CALLS; index++) {
        int number = calls[index].number, flags = number == SYS_newfstatat ? 3 : number == SYS_statx ? 2 : -1;
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, flags < 0 ? 1 : 4);
        if (flags >= 0) { /* fstat(3) */
            code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                          offsetof(struct seccomp_data, args) + 8 * flags);
            code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EMPTY_PATH, 0, 1);
            code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                   SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
}

static void *serve(void *argument)
{
    int listener = *(int *)argument;
    char path[256];
    unsigned long together = STAY_ON_ONE_CPU, wanted;
    unsigned served = 0, turns = 0, last = 0;
    ioctl(listener, SET_FLAGS, together);
    for (;;) {
        struct seccomp_notif request = {0};
        struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
            continue;
        turns += request.pid != last;
        last = request.pid;
        if (++served == 128) { /* callers side by side are woken where there is room, as rtrace does it */
            wanted = turns > 48 ? 0 : STAY_ON_ONE_CPU;
            if (wanted != together)
                ioctl(listener, SET_FLAGS, together = wanted);
            served = turns = 0;
        }
        for (int index = 0; index < CALLS; index++)
            if (calls[index].number == request.data.nr) {
                struct iovec here = {path, sizeof path}, there = {(void *)request.data.args[calls[index].path], sizeof path};
                if (process_vm_readv(request.pid, &here, 1, &there, 1, 0) < 0)
                    break;
            }
        response.id = request.id;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
    return NULL;
}

int main(int count, char **words)
{
    int channel[2], number, status, exit_status = 125;
    char go = 'g';
    if (count < 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, channel))
        return 2;
    pid_t main_process = fork();
    if (main_process == 0) {
        if (read(channel[1], &go, 1) != 1)
            _exit(126);
        number = install();
        if (write(channel[1], &number, sizeof number) != sizeof number || read(channel[1], &go, 1) != 1)
            _exit(126);
        execvp(words[1], words + 1);
        _exit(127);
    }
    long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, main_process, NULL, options) || write(channel[0], &go, 1) != 1 ||
        read(channel[0], &number, sizeof number) != sizeof number || number < 0) {
        perror("floor");
        return 125;
    }
    int listener = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, main_process, 0), number, 0);
    pthread_t server;
    if (listener < 0 || pthread_create(&server, NULL, serve, &listener) || write(channel[0], &go, 1) != 1) {
        perror("floor");
        return 125;
    }
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (thread == main_process)
                exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            continue;
        }
        int event = status >> 16, signal_number = WSTOPSIG(status);
        unsigned long message;
        if (event && event != PTRACE_EVENT_STOP)
            ptrace(PTRACE_GETEVENTMSG, thread, NULL, &message);
        if (event == PTRACE_EVENT_STOP && (signal_number == SIGSTOP || signal_number == SIGTSTP ||
                                           signal_number == SIGTTIN || signal_number == SIGTTOU))
            ptrace(PTRACE_LISTEN, thread, NULL, NULL);
        else
            ptrace(PTRACE_CONT, thread, NULL, (void *)(long)(event ? 0 : signal_number));
    }
    return exit_status;
}
