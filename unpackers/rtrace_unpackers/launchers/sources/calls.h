/* System calls without a C library, on x86-64, i386 and AArch64, and the way into a program that has none. */

#if defined(__x86_64__)
enum {
    CLOSE = 3, RT_SIGPROCMASK = 14, READ = 0, WRITE = 1, SENDFILE = 40, CLONE = 56, EXECVE = 59, WAIT4 = 61, KILL = 62,
    CHDIR = 80, UMASK = 95, RT_SIGTIMEDWAIT = 128, PRCTL = 157, EXIT_GROUP = 231, OPENAT = 257, PPOLL = 271,
    SIGNALFD4 = 289, DUP3 = 292, PIPE2 = 293, LSEEK = 8, IOCTL = 16, GETEUID = 107, SETGROUPS = 116, SETRESUID = 117,
    SETRESGID = 119, READLINKAT = 267, MEMFD_CREATE = 319, STATX = 332,
    GETEGID = 108, FACCESSAT = 269, UNSHARE = 272,
};
#elif defined(__i386__)
enum {
    CLOSE = 6, RT_SIGPROCMASK = 175, READ = 3, WRITE = 4, SENDFILE = 187, CLONE = 120, EXECVE = 11, WAIT4 = 114, KILL = 37,
    CHDIR = 12, UMASK = 60, RT_SIGTIMEDWAIT = 177, PRCTL = 172, EXIT_GROUP = 252, OPENAT = 295, PPOLL = 309,
    SIGNALFD4 = 327, DUP3 = 330, PIPE2 = 331, LSEEK = 19, IOCTL = 54, GETEUID32 = 201, SETGROUPS32 = 206,
    SETRESUID32 = 208, SETRESGID32 = 210, READLINKAT = 305, MEMFD_CREATE = 356, STATX = 383,
    GETEGID32 = 202, FACCESSAT = 307, UNSHARE = 310,
};
#elif defined(__aarch64__)
enum {
    CLOSE = 57, RT_SIGPROCMASK = 135, READ = 63, WRITE = 64, SENDFILE = 71, CLONE = 220, EXECVE = 221, WAIT4 = 260,
    KILL = 129, CHDIR = 49, UMASK = 166, RT_SIGTIMEDWAIT = 137, PRCTL = 167, EXIT_GROUP = 94, OPENAT = 56, PPOLL = 73,
    SIGNALFD4 = 74, DUP3 = 24, PIPE2 = 59, LSEEK = 62, IOCTL = 29, GETEUID = 175, SETGROUPS = 159, SETRESUID = 147,
    SETRESGID = 149, READLINKAT = 78, MEMFD_CREATE = 279, STATX = 291, GETEGID = 177, FACCESSAT = 48, UNSHARE = 97,
};
#endif

#if defined(__i386__) /* the calls of these names are those of 16 bits */
#define GETEUID GETEUID32
#define GETEGID GETEGID32
#define SETGROUPS SETGROUPS32
#define SETRESUID SETRESUID32
#define SETRESGID SETRESGID32
#endif

enum {
    OPENAT2 = 437,
    AT_FDCWD = -100,
    EPERM = 1, ENOENT = 2, EINTR = 4, ENOTDIR = 20, ENOSYS = 38, ELOOP = 40,
    O_CLOEXEC = 0x80000, O_PATH = 0x200000,
    PR_SET_DUMPABLE = 4, PR_SET_SECCOMP = 22, PR_SET_CHILD_SUBREAPER = 36, PR_SET_NO_NEW_PRIVS = 38,
    SECCOMP_MODE_FILTER = 2,
    SIG_BLOCK = 0, SIG_SETMASK = 2,
    SIGINT = 2, SIGQUIT = 3, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20,
    WNOHANG = 1, WUNTRACED = 2,
    MFD_CLOEXEC = 1,
};

/* Flags of open(2) that are not the same everywhere; what has 64 bits need not say that files may be large. */
#if defined(__aarch64__)
#define O_NOFOLLOW 0x8000
#else
#define O_NOFOLLOW 0x20000
#endif
#if defined(__i386__)
#define O_LARGEFILE 0x8000
#else
#define O_LARGEFILE 0
#endif

/* The program begins here, with the address of argc; layout.ld puts this before all other code. */
__attribute__((noreturn, used)) static void begin(const long *stack);
#if defined(__x86_64__)
__asm__(".section .text.first, \"ax\"\n.globl _start\n_start: mov %rsp, %rdi\n call begin\n.text\n");
#elif defined(__i386__)
__asm__(".section .text.first, \"ax\"\n.globl _start\n_start: mov %esp, %eax\n push %eax\n call begin\n.text\n");
#elif defined(__aarch64__)
__asm__(".section .text.first, \"ax\"\n.globl _start\n_start: mov x0, sp\n b begin\n.text\n");
#endif

/* Make a system call; what is not less than -4095, unsigned, is an error's number, negated. */
#if defined(__x86_64__)
static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long fourth __asm__("r10") = d, fifth __asm__("r8") = e, sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return number;
}
#elif defined(__aarch64__)
static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long which __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b;
    register long third __asm__("x2") = c, fourth __asm__("x3") = d, fifth __asm__("x4") = e, sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
}
#endif

__attribute__((noinline)) static long call(long number, long a, long b, long c, long d)
{
#if defined(__i386__)
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(a), "c"(b), "d"(c), "S"(d), "D"(0) : "memory");
    return number;
#else
    return call6(number, a, b, c, d, 0, 0);
#endif
}

/* The same with a fifth argument. */
__attribute__((noinline, unused)) static long call5(long number, long a, long b, long c, long d, long e)
{
#if defined(__i386__)
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
    return number;
#else
    return call6(number, a, b, c, d, e, 0);
#endif
}

static int is_error(long result)
{
    return (unsigned long)result >= -4095UL;
}

__attribute__((noreturn)) static void leave(int status)
{
    for (;;)
        call(EXIT_GROUP, status, 0, 0, 0);
}

static long fork_child(void)
{
    return call(CLONE, SIGCHLD, 0, 0, 0);
}

/* Block all signals, or let all through. */
static void set_mask(int how, unsigned long long set)
{
    call(RT_SIGPROCMASK, how, (long)&set, 0, sizeof set);
}
