/* Open and close files, a number of calls over a number of paths: calls FOLDER CALLS PATHS. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    unsigned long calls = strtoul(argv[2], NULL, 10), paths = strtoul(argv[3], NULL, 10);
    for (unsigned long call = 0; call < calls; call++) {
        char path[4096];
        unsigned long number = call % paths;
        snprintf(path, sizeof path, "%s/%lu/%lu", argv[1], number / 1000, number % 1000);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return 1;
        close(fd);
    }
    return 0;
}
