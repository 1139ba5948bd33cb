/* The first program of an image: replay the runs that its arguments name, or all; with `verify`, compare as well.

   With `--script` or `--verify-script` it is what the first line of a script names, and the next argument is the script.
   Each run is started by its launcher, see container.c. `oci/first_program.py` lays out the data. */
#include "calls.h"
#include "sha256.h"
#include "words.h"
#include "streams.h"
#include "results.h"
#include "own_ids.h"

struct run {
    const char *name, *launcher;
    long uid, gid;
    const unsigned *groups;
    long group_count;
    const long *needs;         /* the numbers of other runs, and -1 */
    long status;               /* that a shell shows, -1 where the end was not seen */
    const char *interrupted;   /* by what the original was, 0 where it was not */
    const char *doubt;         /* why differences prove nothing, 0 where they do */
    struct result *results;
    long result_count;
    struct stream out, err;
    long chosen;               /* NOT_CHOSEN in the beginning */
    long own_ids;              /* whether it gets its ids in a user namespace, see own_ids.h */
};
enum { NOT_CHOSEN = 0, NEEDED = 1, CHOSEN = 2 };
enum { END = -1 };

struct parameters {
    struct run *runs;
    long count;
    const char *help, *names, *unjudged;
};
#define PARAMETERS ((const struct parameters *)0x410000)

enum { SAME_STATUS = 0, DIFFERENT_STATUS = 1, WRONG_USAGE = 2, NO_VERDICT = 3, FAILED = 125, NOT_FOUND = 127 };
enum { POLLIN = 1, SIGHUP = 1 };

/* How many there are of each verdict, of what counts and of other files. */
struct counts {
    unsigned long long outputs[NO_LINE], others[NO_LINE];
};

/* A replay that goes on: its launcher, how that ended, and the signal that asked for an end. */
struct replay {
    long launcher;
    int status, asked;
};

static int is_equal(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

static void complain(const char *what, const char *name, const char *more)
{
    struct words words;
    words.descriptor = 2;
    words.size = 0;
    put(&words, "rtrace: ");
    put(&words, what);
    put_plain(&words, name);
    put(&words, more);
    end_line(&words);
}

/* Become the user of a run, which only root can; whoever chose another user for the container has that one. */
static void become_user(const struct run *run)
{
    if (call(GETEUID, 0, 0, 0, 0) != 0)
        return;
    long refused = call(SETGROUPS, run->group_count, (long)run->groups, 0, 0);
    if (run->uid == 0 && run->gid == 0)
        return;
    if (is_error(refused) || is_error(call(SETRESGID, run->gid, run->gid, run->gid, 0)) ||
        is_error(call(SETRESUID, run->uid, run->uid, run->uid, 0))) {
        complain("cannot become the user of ", run->name, "; start the container with --user");
        leave(FAILED);
    }
}

__attribute__((noreturn)) static void start(const struct run *run)
{
    const char *argv[2];
    argv[0] = run->launcher;
    argv[1] = 0;
    if (!run->own_ids)
        become_user(run);
    else if (!get_ids(run->uid, run->gid))
        complain("this machine gives no further user namespace, so it has your user and group: ", run->name, "");
    call(EXECVE, (long)run->launcher, (long)argv, (long)(argv + 1), 0);
    complain("cannot execute the launcher of ", run->name, "");
    leave(NOT_FOUND);
}

/* Take what children have ended; return whether any is left. */
static int reap(struct replay *replay)
{
    int status;
    for (;;) {
        long child = call(WAIT4, -1, (long)&status, WNOHANG, 0);
        if (child == replay->launcher) {
            replay->status = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
            replay->launcher = 0;
        }
        if (child <= 0)
            return child == 0;
    }
}

/* Hand on a signal that came from outside; a terminal has told the program itself. */
static void hand_on(struct replay *replay, const int *info)
{
    int number = info[0];
    if (number == SIGHUP || number == SIGINT || number == SIGQUIT || number == SIGTERM)
        replay->asked = number;
    if (info[2] <= 0 && replay->launcher)
        call(KILL, replay->launcher, number, 0, 0);
}

/* Wait until a replay and all that it left behind have ended, and all that it printed is taken. */
static void wait_for(struct replay *replay, const struct run *run, struct taken *out, struct taken *err)
{
    struct {
        int descriptor;
        short wanted, seen;
    } polled[3];
    unsigned long long all = -1;
    int info[32], left = 1;
    long signals = call(SIGNALFD4, -1, (long)&all, sizeof all, O_CLOEXEC | O_NONBLOCK);
    while (left || out->reading >= 0 || err->reading >= 0) {
        left = reap(replay);
        polled[0].descriptor = left ? signals : -1;
        polled[1].descriptor = out->reading; /* a negative one is left out */
        polled[2].descriptor = err->reading;
        for (int i = 0; i < 3; i++)
            polled[i].wanted = POLLIN;
        if ((!left && out->reading < 0 && err->reading < 0) || call5(PPOLL, (long)polled, 3, 0, 0, 0) < 0)
            continue;
        if (polled[1].seen)
            take_some(&run->out, out, out->reading);
        if (polled[2].seen)
            take_some(&run->err, err, err->reading);
        if (polled[0].seen && call(READ, signals, (long)info, sizeof info, 0) > 0 && info[0] != SIGCHLD)
            hand_on(replay, info);
    }
    call(CLOSE, signals, 0, 0, 0);
}

static void put_on(int descriptor, int number)
{
    if (descriptor >= 0)
        call(DUP3, descriptor, number, 0, 0);
}

/* Replay a run. What is ``quiet`` reads nothing, and shows on standard error what it prints; it is taken where it is
   known of the original. */
static void replay_run(const struct run *run, struct replay *replay, int quiet, struct taken *out, struct taken *err)
{
    int joined = run->err.known & JOINED;
    out->reading = out->writing = err->reading = err->writing = -1;
    if (quiet && ((run->out.kind != NOTHING_KNOWN && !open_stream(&run->out, out)) ||
                  (run->err.kind != NOTHING_KNOWN && !joined && !open_stream(&run->err, err)))) {
        complain("no pipes can be had for ", run->name, "; try again when the machine has less work");
        leave(FAILED);
    }
    replay->launcher = fork_child();
    if (is_error(replay->launcher)) {
        complain("no process can be had for ", run->name, "; try again when the machine has less work");
        leave(FAILED);
    }
    if (!replay->launcher) {
        if (quiet) {
            put_on(call(OPENAT, AT_FDCWD, (long)"/dev/null", O_RDWR, 0), 0);
            put_on(out->writing >= 0 ? out->writing : 2, 1);
            put_on(joined ? 1 : err->writing, 2);
        }
        set_mask(SIG_SETMASK, 0);
        start(run);
    }
    if (!out->is_file)
        close_end(&out->writing);
    if (!err->is_file)
        close_end(&err->writing);
    wait_for(replay, run, out, err);
    if (out->writing >= 0)
        take_file(&run->out, out);
    if (err->writing >= 0)
        take_file(&run->err, err);
}

static const char *name_verdict(enum verdict verdict)
{
    return verdict == SAME        ? "same" :
           verdict == DIFFERENT   ? "different" :
           verdict == MISSING     ? "missing" :
           verdict == EXTRA       ? "extra" : "unknown";
}

/* Begin a line with its verdict, and return the one that counts: a difference that proves nothing is none. */
static enum verdict begin_line(struct words *words, const struct run *run, enum verdict verdict)
{
    enum verdict counts = run->doubt && verdict != SAME ? UNKNOWN : verdict;
    const char *name = name_verdict(counts);
    put(words, name);
    for (int width = 0; width < 11; width++)
        if (*name)
            name++;
        else
            put_character(words, ' ');
    return counts;
}

/* Say at the end of a line why its difference proves nothing, where that is so. */
static void finish_line(struct words *words, const struct run *run, enum verdict verdict, enum verdict counts)
{
    if (verdict != counts) {
        put(words, "; ");
        put(words, name_verdict(verdict));
        put(words, ", but ");
        put(words, run->doubt);
    }
    end_line(words);
}

static void judge_status(struct words *words, const struct run *run, int status, struct counts *counts)
{
    enum verdict verdict = run->status < 0 ? UNKNOWN : run->status == status ? SAME : run->interrupted ? UNKNOWN : DIFFERENT;
    enum verdict counted = begin_line(words, run, verdict);
    put(words, "exit status of ");
    put(words, run->name);
    if (verdict != SAME) {
        put(words, ": ");
        put_number(words, status);
        if (run->status < 0) {
            put(words, "; the end of the original run was not seen");
        } else {
            put(words, ", was ");
            put_number(words, run->status);
        }
        if (run->interrupted) {
            put(words, "; the original run was ");
            put(words, run->interrupted);
        }
    }
    finish_line(words, run, verdict, counted);
    counts->outputs[counted]++;
}

static void judge_stream(struct words *words, const struct run *run, const char *name, const struct stream *stream,
                         struct taken *taken, struct counts *counts)
{
    if (!(stream->known & TOLD))
        return;
    int known = stream->known & KNOWN;
    enum verdict verdict = !known ? UNKNOWN : has_digest(&taken->hash, stream->digest) ? SAME : DIFFERENT;
    enum verdict counted = begin_line(words, run, verdict);
    put(words, name);
    put(words, run->name);
    if (!known)
        put(words, ": it was not recorded");
    else if (verdict == DIFFERENT)
        put(words, stream->kind == TERMINAL ? ": the content differs; the original wrote to a terminal" : ": the content differs");
    finish_line(words, run, verdict, counted);
    counts->outputs[counted]++;
}

static void judge_results(struct words *words, const struct run *run, struct counts *counts)
{
    for (long i = 0; i < run->result_count; i++) {
        const struct result *result = run->results + i;
        struct found found;
        int differences, other = result->flags & OTHER_FILE;
        enum verdict verdict = compare(result, &found, &differences);
        if (verdict == NO_LINE)
            continue;
        if (other && verdict == SAME) {
            counts->others[SAME]++;
            continue;
        }
        enum verdict counted = begin_line(words, run, verdict);
        put(words, result->shown);
        put_differences(words, result, &found, differences);
        if (other)
            put(words, " (no output, and no part of the verdict)");
        finish_line(words, run, verdict, counted);
        (other ? counts->others : counts->outputs)[counted]++;
    }
}

/* Return whether there is another network interface than that of the machine itself. */
static int has_network(void)
{
    char content[4096];
    int lines = 0;
    long file = call(OPENAT, AT_FDCWD, (long)"/proc/net/dev", O_CLOEXEC, 0);
    long size = is_error(file) ? 0 : call(READ, file, (long)content, sizeof content, 0);
    call(CLOSE, file, 0, 0, 0);
    while (size-- > 0)
        lines += content[size] == '\n';
    return lines > 3; /* two of headings, and one for lo */
}

static void put_counts(struct words *words, const unsigned long long *counts)
{
    const char *before = "";
    for (int verdict = SAME; verdict < NO_LINE; verdict++)
        if (counts[verdict]) {
            put(words, before);
            put_number(words, counts[verdict]);
            put(words, " ");
            put(words, name_verdict(verdict));
            before = ", ";
        }
}

/* Tell the verdict, and return the exit status for it. */
static int conclude(struct words *words, const struct counts *counts)
{
    const unsigned long long *outputs = counts->outputs;
    unsigned long long different = outputs[DIFFERENT] + outputs[MISSING] + outputs[EXTRA], others = 0;
    int unknown = outputs[UNKNOWN] || (!outputs[SAME] && !different);
    for (int verdict = SAME; verdict < NO_LINE; verdict++)
        others += counts->others[verdict];
    if (others) {
        put(words, "other files that the runs wrote, which have no part in the verdict: ");
        put_counts(words, counts->others);
        end_line(words);
    }
    put(words, PARAMETERS->unjudged);
    end_line(words);
    if (has_network()) {
        put(words, "the replay had a network; `docker run --network none` takes it away");
        end_line(words);
    }
    put(words, different ? "the results differ: " : unknown ? "there is no verdict: " : "all results are identical: ");
    put_counts(words, outputs);
    end_line(words);
    return different ? DIFFERENT_STATUS : unknown ? NO_VERDICT : SAME_STATUS;
}

static struct run *find_run(const char *name)
{
    for (long i = 0; i < PARAMETERS->count; i++)
        if (is_equal(PARAMETERS->runs[i].name, name))
            return PARAMETERS->runs + i;
    complain("there is no run ", name, PARAMETERS->names);
    leave(WRONG_USAGE);
}

/* Choose the runs that are named, or all, and what they need; return how many these are. */
static long choose(const char *const *names)
{
    long count = 0;
    struct run *runs = PARAMETERS->runs;
    for (const char *const *name = names; *name; name++)
        find_run(*name)->chosen = CHOSEN;
    for (long i = 0; i < PARAMETERS->count; i++)
        if (!*names)
            runs[i].chosen = CHOSEN;
    for (long i = 0; i < PARAMETERS->count; i++)
        for (const long *need = runs[i].needs; runs[i].chosen == CHOSEN && *need != END; need++)
            if (!runs[*need].chosen)
                runs[*need].chosen = NEEDED;
    for (long i = 0; i < PARAMETERS->count; i++)
        count += runs[i].chosen != NOT_CHOSEN;
    return count;
}

static int verify(const char *const *names)
{
    struct words words;
    struct counts counts;
    struct taken out, err;
    struct replay replay;
    words.descriptor = 1;
    words.size = 0;
    replay.asked = 0;
    for (int verdict = SAME; verdict < NO_LINE; verdict++)
        counts.outputs[verdict] = counts.others[verdict] = 0;
    choose(names);
    for (long i = 0; i < PARAMETERS->count; i++)
        for (long j = 0; PARAMETERS->runs[i].chosen && j < PARAMETERS->runs[i].result_count; j++)
            stamp(PARAMETERS->runs[i].results + j);
    for (long i = 0; i < PARAMETERS->count; i++) {
        const struct run *run = PARAMETERS->runs + i;
        if (!run->chosen)
            continue;
        replay_run(run, &replay, 1, &out, &err);
        if (replay.asked) {
            complain("interrupted; there is no verdict", "", "");
            return 128 + replay.asked;
        }
        judge_status(&words, run, replay.status, &counts);
        judge_stream(&words, run, "standard output of ", &run->out, &out, &counts);
        judge_stream(&words, run, "standard error of ", &run->err, &err, &counts);
        judge_results(&words, run, &counts);
    }
    return conclude(&words, &counts);
}

static int replay_chosen(const char *const *names)
{
    struct taken out, err;
    struct replay replay;
    long count = choose(names);
    replay.status = replay.asked = 0;
    for (long i = 0; i < PARAMETERS->count && !replay.status && !replay.asked; i++) {
        const struct run *run = PARAMETERS->runs + i;
        if (run->chosen && count == 1) {
            set_mask(SIG_SETMASK, 0);
            start(run);
        }
        if (run->chosen)
            replay_run(run, &replay, run->chosen == NEEDED, &out, &err);
    }
    return replay.status;
}

/* Prepare for a container whose user is whoever started it. Root becomes the user of each run as ever, if that one's files
   are that one's. */
static void prepare_script(int verifies)
{
    const char *told_by = "/.rtrace/user";
    if (!can_write("/.rtrace") || !can_write(told_by)) {
        complain("what a run writes could not be kept here; "
                 "start an image file with --fakeroot --writable-tmpfs, a folder with --writable", "", "");
        leave(verifies ? NO_VERDICT : FAILED);
    }
    int can_become = !call(GETEUID, 0, 0, 0, 0) && (is_root_of_machine() || belongs_to_users(told_by));
    for (long i = 0; i < PARAMETERS->count; i++)
        PARAMETERS->runs[i].own_ids = !can_become;
}

static void begin(const long *stack)
{
    const char *const *arguments = (const char *const *)stack + 2;
    const char *first = *stack > 1 ? *arguments : 0;
    int verifies = first && is_equal(first, "--verify-script");
    int is_script = verifies || (first && is_equal(first, "--script"));
    if (is_script) {
        arguments += *stack > 2 ? 2 : 1;
        first = *arguments;
    }
    if (first && (is_equal(first, "--help") || is_equal(first, "-h") || is_equal(first, "help"))) {
        long size = 0;
        while (PARAMETERS->help[size])
            size++;
        write_all(1, PARAMETERS->help, size);
        leave(0);
    }
    if (first && *first == '/') {
        call(EXECVE, (long)first, (long)arguments, (long)((const char *const *)stack + *stack + 2), 0);
        complain("cannot execute ", first, "");
        leave(NOT_FOUND);
    }
    call(PRCTL, PR_SET_DUMPABLE, 0, 0, 0);
    call(PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    set_mask(SIG_BLOCK, -1);
    verifies |= first && is_equal(first, "verify");
    if (first && (verifies || is_equal(first, "--")))
        arguments++;
    if (verifies && *arguments && is_equal(*arguments, "--"))
        arguments++;
    if (is_script)
        prepare_script(verifies);
    leave(verifies ? verify(arguments) : replay_chosen(arguments));
}
