/* Carry connections to servers of a container's loopback, many through one standard input and output.

   Both sides send frames: a connection's number, what it is about, and the length of what follows, little-endian.
   Whoever sent DATA waits for TAKEN before it sends more of that connection, so that a server which does not read holds
   up nobody else, and what is not yet written there has room here. The caller opens connections; GONE is said once of
   each, and then its number is free. `engines/container/multiplexing.py` is the other side. */
#include "calls.h"

#if defined(__x86_64__)
enum { SOCKET = 41, CONNECT = 42, SHUTDOWN = 48 };
#elif defined(__i386__)
enum { SOCKET = 359, CONNECT = 362, SHUTDOWN = 373 };
#elif defined(__aarch64__)
enum { SOCKET = 198, CONNECT = 203, SHUTDOWN = 210 };
#endif

enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_NONBLOCK = 0x800, SHUT_WR = 1 };
enum { POLLIN = 1, POLLOUT = 4 };
enum { EAGAIN = 11, EISCONN = 106, EALREADY = 114, EINPROGRESS = 115 };

enum { CONNECTIONS = 32, PART = 16384 };
enum { OPEN = 1, DATA = 2, END = 3, TAKEN = 4, GONE = 5, READY = 6 };

struct frame {
    unsigned char number, kind, low, high;
};

struct connection {
    int is_open, is_connecting, may_send, has_read_all, is_ending, has_written_all;
    int family, port;
    long socket;
    int begin, end; /* of what is not written yet */
    char part[PART];
};

struct everything {
    struct {
        int descriptor;
        short wanted, seen;
    } polled[CONNECTIONS + 1];
    struct connection connections[CONNECTIONS];
    struct frame head; /* right before what is sent with it */
    char sent[PART];
    char nobodys[PART];
};

static void read_all(char *into, int size)
{
    while (size) {
        long got = call(READ, 0, (long)into, size, 0);
        if (got <= 0)
            leave(0);
        into += got;
        size -= got;
    }
}

static void send_frame(struct everything *all, int number, int kind, int size)
{
    const char *from = (const char *)&all->head;
    int left = sizeof all->head + size;
    all->head.number = number;
    all->head.kind = kind;
    all->head.low = size;
    all->head.high = size >> 8;
    while (left) {
        long put = call(WRITE, 1, (long)from, left, 0);
        if (put <= 0)
            leave(0);
        from += put;
        left -= put;
    }
}

static void drop(struct everything *all, int number)
{
    struct connection *one = &all->connections[number];
    call(CLOSE, one->socket, 0, 0, 0);
    one->is_open = 0;
    send_frame(all, number, GONE, 0);
}

static long ask(struct connection *one)
{
    unsigned char address[28];
    for (unsigned at = 0; at < sizeof address; at++)
        ((volatile unsigned char *)address)[at] = 0;
    address[0] = one->family;
    address[2] = one->port >> 8;
    address[3] = one->port;
    if (one->family == AF_INET) {
        address[4] = 127;
        address[7] = 1;
    } else {
        address[23] = 1;
    }
    return call(CONNECT, one->socket, (long)address, one->family == AF_INET ? 16 : sizeof address, 0);
}

/* Go on connecting: to 127.0.0.1, and where nobody serves there, to ::1. Return what keeps it from being connected. */
static long connect_on(struct connection *one)
{
    long result = ask(one);
    if (result == -EISCONN)
        return 0;
    if (!is_error(result) || result == -EINPROGRESS || result == -EALREADY || one->family == AF_INET6)
        return result;
    call(CLOSE, one->socket, 0, 0, 0);
    one->family = AF_INET6;
    one->socket = call(SOCKET, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | O_CLOEXEC, 0, 0);
    return is_error(one->socket) ? one->socket : ask(one);
}

static void try_to_connect(struct everything *all, int number)
{
    struct connection *one = &all->connections[number];
    long result = connect_on(one);
    if (!is_error(result))
        one->is_connecting = 0;
    else if (result != -EINPROGRESS && result != -EALREADY)
        drop(all, number);
}

static void take_frame(struct everything *all)
{
    struct frame head;
    read_all((char *)&head, sizeof head);
    int size = head.low | head.high << 8;
    if (size > PART || head.number >= CONNECTIONS)
        leave(1);
    struct connection *one = &all->connections[head.number];
    if (head.kind == DATA && one->is_open && one->begin == one->end) {
        read_all(one->part, size);
        one->begin = 0;
        one->end = size;
        return;
    }
    read_all(all->nobodys, size);
    if (head.kind == OPEN && !one->is_open && size == 2) {
        one->port = (unsigned char)all->nobodys[0] | (unsigned char)all->nobodys[1] << 8;
        one->family = AF_INET;
        one->is_open = one->is_connecting = one->may_send = 1;
        one->has_read_all = one->is_ending = one->has_written_all = 0;
        one->begin = one->end = 0;
        one->socket = call(SOCKET, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | O_CLOEXEC, 0, 0);
        try_to_connect(all, head.number);
    } else if (one->is_open) {
        if (head.kind == TAKEN)
            one->may_send = 1;
        if (head.kind == END)
            one->is_ending = 1;
        if (head.kind == GONE)
            drop(all, head.number);
    }
}

/* Write what came from the caller, and say so once all of it is written. */
static void write_on(struct everything *all, int number)
{
    struct connection *one = &all->connections[number];
    long put = call(WRITE, one->socket, (long)(one->part + one->begin), one->end - one->begin, 0);
    if (put == -EAGAIN)
        return;
    if (put <= 0) {
        drop(all, number);
        return;
    }
    one->begin += put;
    if (one->begin == one->end)
        send_frame(all, number, TAKEN, 0);
}

static void read_on(struct everything *all, int number)
{
    struct connection *one = &all->connections[number];
    long got = call(READ, one->socket, (long)all->sent, PART, 0);
    if (got == -EAGAIN)
        return;
    if (got < 0) {
        drop(all, number);
        return;
    }
    one->may_send = 0;
    one->has_read_all = got == 0;
    send_frame(all, number, got ? DATA : END, got);
}

static void go_on(struct everything *all, int number, int seen)
{
    struct connection *one = &all->connections[number];
    if (one->is_open && one->is_connecting) {
        if (seen)
            try_to_connect(all, number);
        return;
    }
    if (one->is_open && seen && one->begin != one->end)
        write_on(all, number);
    if (one->is_open && seen && one->may_send && !one->has_read_all)
        read_on(all, number);
    if (one->is_open && one->is_ending && !one->has_written_all && one->begin == one->end) {
        one->has_written_all = 1;
        call(SHUTDOWN, one->socket, SHUT_WR, 0, 0);
    }
    if (one->is_open && one->has_read_all && one->has_written_all)
        drop(all, number);
}

static void begin(const long *stack)
{
    (void)stack;
    struct everything all;
    unsigned long long every = -1;
    call(PRCTL, PR_SET_DUMPABLE, 0, 0, 0);
    set_mask(SIG_BLOCK, every); /* SIGPIPE, too: a server that is gone is an error of one connection */
    for (int number = 0; number < CONNECTIONS; number++)
        all.connections[number].is_open = 0;
    send_frame(&all, 0, READY, 0);
    for (;;) {
        all.polled[CONNECTIONS].descriptor = 0;
        all.polled[CONNECTIONS].wanted = POLLIN;
        for (int number = 0; number < CONNECTIONS; number++) {
            struct connection *one = &all.connections[number];
            int wanted = one->is_connecting || one->begin != one->end ? POLLOUT : 0;
            if (!one->is_connecting && one->may_send && !one->has_read_all)
                wanted |= POLLIN;
            all.polled[number].wanted = wanted;
            all.polled[number].descriptor = one->is_open && wanted ? one->socket : -1;
            all.polled[number].seen = 0;
        }
        if (call(PPOLL, (long)all.polled, CONNECTIONS + 1, 0, 0) < 0)
            continue;
        if (all.polled[CONNECTIONS].seen)
            take_frame(&all); /* first: it may be the last that anything happens to its connection */
        for (int number = 0; number < CONNECTIONS; number++)
            go_on(&all, number, all.polled[number].seen);
    }
}
