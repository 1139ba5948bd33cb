/* The ids of a run in a container that is not root's, such as Apptainer's: there is one user, who started it. In a user
   namespace of its own that one is the user of the run, and the files that are his seem to be that user's. */

enum { CLONE_NEWUSER = 0x10000000, O_WRONLY = 1, W_OK = 2, AT_SYMLINK_NOFOLLOW = 0x100 };

/* Whether this is root outside of all user namespaces: all ids are mapped, to themselves. */
static int is_root_of_machine(void)
{
    const char *all = "         0          0 4294967295\n";
    char content[64];
    long file = call(OPENAT, AT_FDCWD, (long)"/proc/self/uid_map", O_CLOEXEC, 0);
    long size = is_error(file) ? 0 : call(READ, file, (long)content, sizeof content - 1, 0);
    call(CLOSE, file, 0, 0, 0);
    content[size > 0 ? size : 0] = 0;
    for (long i = 0; all[i]; i++)
        if (content[i] != all[i])
            return 0;
    return !call(GETEUID, 0, 0, 0, 0);
}

static int write_map(const char *path, const struct words *words)
{
    long file = call(OPENAT, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0);
    long written = is_error(file) ? file : call(WRITE, file, (long)words->text, words->size, 0);
    call(CLOSE, file, 0, 0, 0);
    return written == words->size;
}

static int map_id(const char *path, long inside, long outside)
{
    struct words words;
    words.size = 0;
    put_number(&words, (unsigned)inside);
    put(&words, " ");
    put_number(&words, (unsigned)outside);
    put(&words, " 1");
    return write_map(path, &words);
}

/* Whether the image's files belong to their users as seen from here, and not all to one: it has a file to tell by. */
static int belongs_to_users(const char *told_by)
{
    struct statx status;
    return !is_error(call5(STATX, AT_FDCWD, (long)told_by, AT_SYMLINK_NOFOLLOW, BASIC_STATS, (long)&status)) && status.uid;
}

static int can_write(const char *path)
{
    long result = call(FACCESSAT, AT_FDCWD, (long)path, W_OK, 0);
    return !is_error(result) || result == -ENOENT;
}

/* Have these ids; return whether that was possible. */
static int get_ids(long uid, long gid)
{
    struct words deny;
    long user = call(GETEUID, 0, 0, 0, 0), group = call(GETEGID, 0, 0, 0, 0);
    if (user == uid && group == gid)
        return 1;
    call(PRCTL, PR_SET_DUMPABLE, 1, 0, 0); /* or its own maps would not be its own; a program that is executed is, again */
    if (is_error(call(UNSHARE, CLONE_NEWUSER, 0, 0, 0)))
        return 0;
    deny.size = 0;
    put(&deny, "deny");
    write_map("/proc/self/setgroups", &deny);
    return map_id("/proc/self/gid_map", gid, group) && map_id("/proc/self/uid_map", uid, user);
}
