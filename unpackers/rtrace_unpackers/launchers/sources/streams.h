/* What a run prints: taken through what the original wrote to, a pipe, a file or a terminal; hashed, and shown. */

enum { NOTHING_KNOWN = 0, PIPE = 1, FILE = 2, TERMINAL = 3 }; /* kinds of streams; of the first, no digest is taken */
enum { KNOWN = 1, CUT = 2, JOINED = 4, TOLD = 8 }; /* there is a digest; its reader went away; it was the output, too; there is a line */

struct stream {
    long kind, known, rows, columns;
    unsigned long long size;
    unsigned char digest[32];
};

/* A stream of a replay: the ends of what it goes through, -1 where one is closed. */
struct taken {
    int reading, writing, is_file;
    unsigned char last; /* the byte that was shown last */
    struct sha256 hash;
};

enum { TCGETS = 0x5401, TCSETS = 0x5402, TIOCSWINSZ = 0x5414, TIOCGPTPEER = 0x5441, TIOCSPTLCK = 0x40045431 };
enum { O_RDWR = 2, O_NOCTTY = 0x100, O_NONBLOCK = 0x800 };
enum { OPOST = 1, ECHO = 8 };

/* Open a terminal that passes every byte on as it is; return whether there is one. */
static int open_terminal(const struct stream *stream, struct taken *taken)
{
    int settings[16], unlocked = 0; /* struct termios of the kernel: input, output, control and local modes come first */
    unsigned short window[4];
    long master = call(OPENAT, AT_FDCWD, (long)"/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    if (is_error(master))
        return 0;
    call(IOCTL, master, TIOCSPTLCK, (long)&unlocked, 0);
    long slave = call(IOCTL, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    if (is_error(slave)) {
        call(CLOSE, master, 0, 0, 0);
        return 0;
    }
    call(IOCTL, slave, TCGETS, (long)settings, 0);
    settings[1] &= ~OPOST;
    settings[3] &= ~ECHO;
    call(IOCTL, slave, TCSETS, (long)settings, 0);
    window[0] = stream->rows;
    window[1] = stream->columns;
    window[2] = window[3] = 0;
    if (stream->rows)
        call(IOCTL, slave, TIOCSWINSZ, (long)window, 0);
    taken->reading = master;
    taken->writing = slave;
    return 1;
}

/* Open what a stream goes through; where that kind is not to be had, a pipe. Return whether that was possible. */
static int open_stream(const struct stream *stream, struct taken *taken)
{
    int ends[2];
    begin_hash(&taken->hash);
    taken->is_file = 0;
    taken->last = 0;
    if (stream->kind == TERMINAL && open_terminal(stream, taken))
        return 1;
    if (stream->kind == FILE) {
        long file = call(MEMFD_CREATE, (long)"output", MFD_CLOEXEC, 0, 0);
        if (!is_error(file)) {
            taken->is_file = 1;
            taken->reading = -1;
            taken->writing = file;
            return 1;
        }
    }
    if (is_error(call(PIPE2, (long)ends, O_CLOEXEC, 0, 0)))
        return 0;
    taken->reading = ends[0];
    taken->writing = ends[1];
    return 1;
}

static void close_end(int *end)
{
    if (*end >= 0)
        call(CLOSE, *end, 0, 0, 0);
    *end = -1;
}

/* Show what was printed, without what a terminal would obey: neither the controls of ASCII nor those of Unicode. */
static void show(struct taken *taken, char *content, long size)
{
    for (long i = 0; i < size; i++) {
        unsigned char byte = content[i];
        if ((byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7f ||
            (taken->last == 0xc2 && byte >= 0x80 && byte < 0xa0))
            content[i] = '?';
        taken->last = byte;
    }
    write_all(2, content, size);
}

/* Take what can be read now; close the stream at its end, and one that was cut where it was cut. */
static void take_some(const struct stream *stream, struct taken *taken, int descriptor)
{
    char content[16384];
    unsigned long long left = sizeof content;
    if (stream->known & CUT && stream->size - taken->hash.size < left)
        left = stream->size - taken->hash.size;
    long size = left ? call(READ, descriptor, (long)content, (long)left, 0) : 0;
    if (size == -EINTR)
        return;
    if (size <= 0) { /* EIO: the last program has closed the terminal */
        close_end(&taken->reading);
        return;
    }
    add_to_hash(&taken->hash, (unsigned char *)content, size);
    show(taken, content, size);
}

/* Take the content of a file to which a stream went. */
static void take_file(const struct stream *stream, struct taken *taken)
{
    call(LSEEK, taken->writing, 0, 0, 0);
    taken->reading = taken->writing;
    while (taken->reading >= 0)
        take_some(stream, taken, taken->writing);
    taken->writing = -1;
}
