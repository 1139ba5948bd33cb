/* The first process of a replay in namespaces: it makes the system calls of three lists, and is an init in between.

   `isolation/planning/first_program.py` lays out the data, and `steps.py` beside it says what is in the lists. */
#include "calls.h"

struct step {
    long number, arguments[6];
    long *result; /* where the result goes: often into an argument of a later step; 0 for nowhere */
    long stage;   /* what to report if it fails; 0 for nothing, and then it goes on */
};
enum { END = -1 };

struct parameters {
    const struct step *before, *program, *after;
    long leads_group; /* whether the program leads a process group of its own */
    long report;      /* the descriptor for reports */
};
#define PARAMETERS ((const struct parameters *)0x410000)

enum { ENDED = 1, STOPPED = 2, FORK = 3 };

/* Report two words of four bytes, what and a value, in one write; return whether that was possible. */
static int report(int what, int value)
{
    int words[2];
    words[0] = what;
    words[1] = value;
    return call(WRITE, PARAMETERS->report, (long)words, sizeof words, 0) == sizeof words;
}

__attribute__((noreturn)) static void fail(int what, long error)
{
    report(what, -error);
    leave(1);
}

static void take(const struct step *step)
{
    for (; step->number != END; step++) {
        const long *given = step->arguments;
        long result = call6(step->number, given[0], given[1], given[2], given[3], given[4], given[5]);
        if (is_error(result)) {
            if (step->stage)
                fail(step->stage, result);
        } else if (step->result) {
            *step->result = result;
        }
    }
}

/* Hand on a signal that came from outside, not from the kernel and nobody of this namespace (si_code and si_pid). */
static void hand_on(int number, const int *info, int program)
{
    int whom = program;
    if (info[2] > 0 || info[4] != 0)
        return;
    if (number == SIGTSTP)
        number = SIGSTOP;
    if (number == SIGSTOP || number == SIGCONT || !program)
        whom = -1; /* all: what a program that has ended left behind, too */
    else if (number <= SIGQUIT) /* SIGHUP, SIGINT and SIGQUIT are for a group, as from a terminal */
        whom = PARAMETERS->leads_group ? -program : 0;
    call(KILL, whom, number, 0, 0);
}

static void begin(const long *stack)
{
    (void)stack;
    unsigned long long all = -1;
    int info[32], status, ended = 0;
    take(PARAMETERS->before);
    long program = fork_child();
    if (is_error(program))
        fail(FORK, program);
    if (!program) {
        take(PARAMETERS->program);
        leave(1); /* the last step executes the program: it has failed */
    }
    take(PARAMETERS->after);
    for (;;) {
        long number = call(RT_SIGTIMEDWAIT, (long)&all, (long)info, 0, sizeof all);
        if (number > 0 && number != SIGCHLD)
            hand_on(number, info, program);
        while (number == SIGCHLD) {
            long child = call(WAIT4, -1, (long)&status, WNOHANG | WUNTRACED, 0);
            if (child == 0)
                break;
            if (child < 0) /* ECHILD: everything has ended; if nobody listens, the program itself started this */
                leave(!report(ENDED, ended));
            if (child != program)
                continue;
            if ((status & 0xff) == 0x7f) {
                report(STOPPED, status >> 8 & 0xff);
                continue;
            }
            ended = status;
            program = 0;
        }
    }
}
