/* What a run has to leave at a path, and what is there now. No symbolic link on the way is followed. */

enum { GONE = 0, REGULAR = 1, DIRECTORY = 2, LINK = 3, QUEUE = 4, OTHER_KIND = 5, UNTOLD = 6 };
enum { DIGEST = 1, VAGUE = 2, OPTIONAL = 4, HELD = 8, RENAMED = 16, OTHER_FILE = 32 };
enum verdict { SAME, DIFFERENT, MISSING, EXTRA, UNKNOWN, NO_LINE };

struct result {
    const char *path, *shown;            /* as it is, and fit for a terminal */
    const char *target, *shown_target;   /* of a symbolic link */
    const char *remark;                  /* of UNTOLD: why there is nothing to compare */
    long kind, flags, mode, target_size; /* the size as it fits into a word */
    unsigned long long size;
    unsigned char digest[32];
    unsigned long long inode, changed; /* before the replay, of what the bundle holds as the run left it */
};

struct found {
    int kind;
    unsigned mode;
    unsigned long long size, inode, changed;
};

struct statx { /* see statx(2) */
    unsigned mask, block_size;
    unsigned long long attributes;
    unsigned links, uid, gid;
    unsigned short mode, unused;
    unsigned long long inode, size, blocks, attributes_mask, accessed[2], born[2], changed;
    unsigned changed_nanoseconds, more[37];
};

/* Differences, each with words of its own. */
enum {
    TYPE = 1, SIZE = 2, CONTENT = 4, MODE = 8, TARGET = 16, STILL_THERE = 32, NO_DIGEST = 64, NOT_READ = 128,
    UNWRITTEN = 256, OTHER_NAME = 512, UNDECIDED = 1024,
};

enum { AT_EMPTY_PATH = 0x1000, BASIC_STATS = 0x7ff, UNREADABLE = -2, LONGEST_NAME = 255, ENAMETOOLONG = 36 };

/* Open an absolute path, name by name: a symbolic link on the way is no directory, at the end it is not followed. */
static long open_path(const char *path, long flags)
{
    char name[LONGEST_NAME + 1];
    long folder = call(OPENAT, AT_FDCWD, (long)"/", O_PATH | O_CLOEXEC, 0);
    while (!is_error(folder)) {
        int size = 0;
        while (*path == '/')
            path++;
        for (; *path && *path != '/'; path++) {
            if (size == LONGEST_NAME) {
                call(CLOSE, folder, 0, 0, 0);
                return -ENAMETOOLONG;
            }
            name[size++] = *path;
        }
        name[size] = 0;
        long next = call(OPENAT, folder, (long)name, (*path ? O_PATH : flags) | O_NOFOLLOW | O_CLOEXEC, 0);
        call(CLOSE, folder, 0, 0, 0);
        folder = next;
        if (!*path)
            break;
    }
    return folder;
}

/* Look at what is open; return whether that was possible. */
static int look_at(long file, struct found *found)
{
    static const char kinds[16] = {OTHER_KIND, QUEUE, OTHER_KIND, OTHER_KIND, DIRECTORY, OTHER_KIND,
                                   OTHER_KIND, OTHER_KIND, REGULAR, OTHER_KIND, LINK, OTHER_KIND,
                                   OTHER_KIND, OTHER_KIND, OTHER_KIND, OTHER_KIND};
    struct statx status;
    if (is_error(call5(STATX, file, (long)"", AT_EMPTY_PATH, BASIC_STATS, (long)&status)))
        return 0;
    found->mode = status.mode;
    found->kind = kinds[status.mode >> 12];
    found->inode = status.inode;
    found->size = status.size;
    found->changed = status.changed * 1000000000 + status.changed_nanoseconds;
    return 1;
}

/* Find what is at a path: GONE where there is nothing; return whether that is known. */
static int find(const char *path, struct found *found)
{
    long file = open_path(path, O_PATH);
    found->kind = GONE;
    if (is_error(file))
        return file == -ENOENT || file == -ENOTDIR || file == -ELOOP;
    int known = look_at(file, found);
    call(CLOSE, file, 0, 0, 0);
    return known;
}

/* Return whether a regular file has the content of a result, UNREADABLE where it cannot be read. */
static int has_content(const struct result *result)
{
    unsigned char content[65536];
    struct sha256 hash;
    struct found found;
    long size = -1, file = open_path(result->path, O_NONBLOCK | O_LARGEFILE);
    if (is_error(file))
        return UNREADABLE;
    begin_hash(&hash);
    if (look_at(file, &found) && found.kind == REGULAR)
        while ((size = call(READ, file, (long)content, sizeof content, 0)) > 0)
            add_to_hash(&hash, content, size);
    call(CLOSE, file, 0, 0, 0);
    return size < 0 ? UNREADABLE : has_digest(&hash, result->digest);
}

static int has_target(const struct result *result)
{
    char target[4097];
    long file = open_path(result->path, O_PATH);
    if (is_error(file))
        return 0;
    long size = call(READLINKAT, file, (long)"", (long)target, sizeof target);
    call(CLOSE, file, 0, 0, 0);
    if (size != result->target_size)
        return 0;
    while (size-- > 0)
        if (target[size] != result->target[size])
            return 0;
    return 1;
}

/* Note what a replay must write anew, as the bundle holds it. */
static void stamp(struct result *result)
{
    struct found found;
    if (result->flags & HELD && find(result->path, &found) && found.kind != GONE) {
        result->inode = found.inode;
        result->changed = found.changed;
    }
}

/* Compare what is at a path with what the original run left there; tell what was found, and the differences. */
static enum verdict compare(const struct result *result, struct found *found, int *differences)
{
    *differences = 0;
    if (result->kind == UNTOLD)
        return UNKNOWN;
    if (!find(result->path, found)) {
        *differences = NOT_READ;
        return UNKNOWN;
    }
    if (result->kind == GONE) {
        *differences = found->kind == GONE ? 0 : STILL_THERE;
        return found->kind == GONE ? SAME : EXTRA;
    }
    if (found->kind == GONE) {
        *differences = result->flags & RENAMED ? OTHER_NAME : 0;
        return result->flags & OPTIONAL ? NO_LINE : result->flags & RENAMED ? UNKNOWN : MISSING;
    }
    if (result->flags & VAGUE) {
        *differences = NO_DIGEST;
        return UNKNOWN;
    }
    int unknown = 0;
    if (result->flags & HELD && found->inode == result->inode && found->changed == result->changed) {
        *differences = UNWRITTEN;
        return MISSING;
    }
    if (found->kind != result->kind) {
        *differences = TYPE;
    } else if (result->kind == LINK) {
        *differences = has_target(result) ? 0 : TARGET;
    } else if (result->kind == REGULAR) {
        if (found->size != result->size) {
            *differences = SIZE;
        } else if (result->flags & DIGEST) {
            int same = has_content(result);
            *differences = same == 0 ? CONTENT : 0;
            unknown = same == UNREADABLE ? NOT_READ : 0;
        } else {
            unknown = NO_DIGEST;
        }
        if ((found->mode ^ result->mode) & 0777)
            *differences |= MODE;
    }
    if (*differences)
        return DIFFERENT;
    *differences = unknown;
    return unknown ? UNKNOWN : SAME;
}

static const char *name_kind(int kind)
{
    return kind == REGULAR ? "a file" : kind == DIRECTORY ? "a directory" : kind == LINK ? "a symbolic link" :
           kind == QUEUE ? "a FIFO" : "something else";
}

/* Put the differences in words. */
static void put_differences(struct words *words, const struct result *result, const struct found *found, int differences)
{
    const char *before = ": ";
    if (result->kind == UNTOLD) {
        put(words, before);
        put(words, result->remark);
    }
    for (int one = 1; one < UNDECIDED; one <<= 1) {
        if (!(differences & one))
            continue;
        put(words, before);
        before = "; ";
        if (one == TYPE) {
            put(words, name_kind(found->kind));
            put(words, ", was ");
            put(words, name_kind(result->kind));
        } else if (one == SIZE) {
            put_number(words, found->size);
            put(words, " bytes, was ");
            put_number(words, result->size);
        } else if (one == CONTENT) {
            put(words, "the content differs, ");
            put_number(words, found->size);
            put(words, " bytes as before");
        } else if (one == MODE) {
            put(words, "mode ");
            put_mode(words, found->mode);
            put(words, ", was ");
            put_mode(words, result->mode);
        } else if (one == TARGET) {
            put(words, "leads elsewhere, led to ");
            put(words, result->shown_target);
        } else if (one == STILL_THERE) {
            put(words, "it is still there; the original run removed it");
        } else if (one == NO_DIGEST) {
            put(words, "the bundle does not hold the original's digest");
        } else if (one == NOT_READ) {
            put(words, "it cannot be read, so its content was not compared");
        } else if (one == UNWRITTEN) {
            put(words, "the replay did not write it: what is there came with the image");
        } else {
            put(words, "its name changes from run to run, and only `rtrace verify` finds the new one");
        }
    }
}
