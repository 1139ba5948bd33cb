/* Make files and look for others, in several processes at once, and log what was made, until opens are refused.
 *
 *   busy LOG PROCESSES
 *
 * Each line of LOG, written in one write(2): nanoseconds of CLOCK_MONOTONIC after the call, a space, a path.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 100 };

static void work(int log_fd, int process) {
    for (unsigned number = 0;; number++) {
        char path[64], line[128];
        struct timespec now;
        struct stat status;
        snprintf(path, sizeof path, "made/%d-%u", process, number);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        if (fd < 0) _exit(1); /* the tracer is gone, and with it who answers for this call */
        clock_gettime(CLOCK_MONOTONIC, &now);
        int size = snprintf(line, sizeof line, "%lld %s\n", now.tv_sec * 1000000000LL + now.tv_nsec, path);
        if (write(fd, "x", 1) != 1 || close(fd) || write(log_fd, line, (size_t)size) != size) _exit(1);
        snprintf(path, sizeof path, "missing/%d-%u", process, number);
        stat(path, &status);
        if (number >= KEPT) {
            snprintf(path, sizeof path, "made/%d-%u", process, number - KEPT);
            unlink(path);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int log_fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (log_fd < 0 || mkdir("made", 0755)) return 2;
    for (int process = 0; process < atoi(argv[2]); process++)
        if (fork() == 0) work(log_fd, process);
    while (wait(NULL) > 0) {}
    return 1;
}
