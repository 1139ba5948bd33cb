/* Start a recorded program in a container, and be its init: hand signals on, reap, and end when all have ended.

   With an argument of its own, it makes standard error the same as standard output. Neither what is opened nor the
   program is reached through a magic link: /proc/self/exe would be this program. See `engines/image/launcher.py` for the parameters. */
#include "calls.h"

/* What a program gets before it starts: a system call, or one of two things that are none. A first argument of -1 is the
   result of the step before. */
struct step {
    long number, arguments[4];
};
enum {
    END = -1,
    OPEN = -2, /* a path, with flags */
    PIPE = -3, /* a descriptor, whose content comes through a pipe; the result is the end to read from */
    RESULT = -1,
};

struct message {
    const char *text;
    long size;
};

struct parameters {
    long umask;
    const char *directory, *path;
    const char *const *argv, *const *envp;
    struct message no_directory, no_program;
    const struct step *steps;
    const void *filter; /* struct sock_fprog */
    struct message no_input;
};
#define PARAMETERS ((const struct parameters *)0x400800)

enum { FAILED = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };
enum { RESOLVE_NO_MAGICLINKS = 2 };

__attribute__((noreturn)) static void fail(int status, const struct message *message)
{
    call(WRITE, 2, (long)message->text, message->size, 0);
    leave(status);
}

__attribute__((noreturn)) static void fail_program(long error)
{
    fail(error == -ENOENT || error == -ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE, &PARAMETERS->no_program);
}

/* Open a path; without openat2, which an older kernel or an engine's filter refuses, through whatever it leads. */
static long open_inside(long path, long flags)
{
    unsigned long long how[3];
    how[0] = flags;
    how[1] = 0;
    how[2] = RESOLVE_NO_MAGICLINKS;
    long result = call(OPENAT2, AT_FDCWD, path, (long)how, sizeof how);
    return result == -ENOSYS || result == -EPERM ? call(OPENAT, AT_FDCWD, path, flags, 0) : result;
}

/* Return the end of a pipe that brings the content of a file, by a process that is nobody's child but the init's. */
static long feed(long file)
{
    int ends[2];
    long result = call(PIPE2, (long)ends, O_CLOEXEC, 0, 0);
    if (is_error(result))
        return result;
    long child = fork_child();
    if (is_error(child))
        return child;
    if (!child) {
        if (!fork_child()) {
            call(CLOSE, ends[0], 0, 0, 0);
            while (call(SENDFILE, ends[1], file, 0, 1 << 30) > 0)
                ;
        }
        leave(0);
    }
    call(WAIT4, child, 0, 0, 0);
    call(CLOSE, ends[1], 0, 0, 0);
    call(CLOSE, file, 0, 0, 0);
    return ends[0];
}

static void take_steps(void)
{
    long result = 0;
    for (const struct step *step = PARAMETERS->steps; step->number != END; step++) {
        long first = step->arguments[0] == RESULT ? result : step->arguments[0];
        if (step->number == OPEN)
            result = open_inside(first, step->arguments[1]);
        else if (step->number == PIPE)
            result = feed(first);
        else
            result = call(step->number, first, step->arguments[1], step->arguments[2], step->arguments[3]);
        if (is_error(result))
            fail(FAILED, &PARAMETERS->no_input);
    }
}

__attribute__((noreturn)) static void be_program(int joins)
{
    set_mask(SIG_SETMASK, 0);
    if (joins)
        call(DUP3, 1, 2, 0, 0);
    take_steps();
    long checked = open_inside((long)PARAMETERS->path, O_PATH | O_CLOEXEC);
    if (is_error(checked))
        fail_program(checked);
    call(PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
    call(PRCTL, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)PARAMETERS->filter, 0);
    fail_program(call(EXECVE, (long)PARAMETERS->path, (long)PARAMETERS->argv, (long)PARAMETERS->envp, 0));
}

__attribute__((noreturn)) static void be_init(long program)
{
    unsigned long long all = -1;
    int info[32], status, ended = 0;
    for (;;) {
        long number = call(RT_SIGTIMEDWAIT, (long)&all, (long)info, 0, sizeof all);
        if (number > 0 && number != SIGCHLD && program && info[2] <= 0) /* si_code; else a terminal told the program */
            call(KILL, program, number, 0, 0);
        while (number == SIGCHLD) {
            long child = call(WAIT4, -1, (long)&status, WNOHANG, 0);
            if (child == 0)
                break;
            if (child < 0) /* ECHILD: everything has ended */
                leave(ended & 0x7f ? 128 + (ended & 0x7f) : ended >> 8 & 0xff);
            if (child == program) {
                ended = status;
                program = 0;
            }
        }
    }
}

static void begin(const long *stack)
{
    call(UMASK, PARAMETERS->umask, 0, 0, 0);
    if (is_error(call(CHDIR, (long)PARAMETERS->directory, 0, 0, 0)))
        fail(FAILED, &PARAMETERS->no_directory);
    set_mask(SIG_BLOCK, -1);
    call(PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    long program = fork_child();
    if (is_error(program))
        fail_program(program);
    if (!program)
        be_program(*stack != 1);
    be_init(program);
}
