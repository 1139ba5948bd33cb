/* Be the first process of a container that others work in: say so with a byte, reap what ends, and end when standard
   input does (whoever holds its other end is gone) or on SIGTERM or SIGINT. Nobody in there can trace it. */
#include "calls.h"

enum { POLLIN = 1 };

static void begin(const long *stack)
{
    (void)stack;
    struct {
        int descriptor;
        short wanted, seen;
    } polled[2];
    unsigned long long all = -1;
    int info[32]; /* struct signalfd_siginfo; the number of the signal comes first */
    call(PRCTL, PR_SET_DUMPABLE, 0, 0, 0);
    set_mask(SIG_BLOCK, all);
    polled[0].descriptor = 0;
    polled[0].wanted = POLLIN;
    polled[1].descriptor = call(SIGNALFD4, -1, (long)&all, sizeof all, 0);
    polled[1].wanted = POLLIN;
    call(WRITE, 1, (long)&all, 1, 0);
    for (;;) {
        if (call(PPOLL, (long)polled, 2, 0, 0) < 0)
            continue;
        if (!polled[1].seen) {
            if (call(READ, 0, (long)info, sizeof info, 0) <= 0) /* what nobody meant for it is forgotten */
                leave(0);
            continue;
        }
        call(READ, polled[1].descriptor, (long)info, sizeof info, 0);
        if (info[0] == SIGTERM || info[0] == SIGINT)
            leave(0);
        while (info[0] == SIGCHLD && call(WAIT4, -1, 0, WNOHANG, 0) > 0)
            ;
    }
}
