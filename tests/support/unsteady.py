"""Programs that differ from run to run, each for one reason, and others that do not: real small ones, by their names.

Each prints its result. The ones in C are compiled by `write_programs`; `server` is what the network's one asks.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

UNSTEADY: dict[str, tuple[str, str]] = {
    "stamp.c": (
        "time",
        (
            "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n"
            "int main(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); srand(t.tv_nsec ^ t.tv_sec);"
            ' printf("built at %ld, sample %d\\n", (long)t.tv_sec, rand()); }\n'
        ),
    ),
    "sample.py": ("random", "import random\nprint([random.randint(0, 10**6) for _ in range(5)])\n"),
    "worker.sh": ("process-id", 'echo "worker $$ is done"\n'),
    "order.py": ("hash-seed", "print({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'})\n"),
    "pointer.c": (
        "address",
        '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { printf("matrix at %p\\n", malloc(100)); }\n',
    ),
    "race.c": (
        "thread-order",
        (
            "#include <pthread.h>\n#include <stdio.h>\n"
            "static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
            "static void *work(void *number) { volatile double sum = 0;"
            " for (int i = 1; i < 2000000; i++) sum += 1.0 / i;"
            ' pthread_mutex_lock(&lock); printf("part %ld\\n", (long)number); fflush(stdout);'
            " pthread_mutex_unlock(&lock); return NULL; }\n"
            "int main(void) { pthread_t all[8];"
            " for (long i = 0; i < 8; i++) pthread_create(&all[i], NULL, work, (void *)i);"
            " for (int i = 0; i < 8; i++) pthread_join(all[i], NULL); }\n"
        ),
    ),
    "listing.pl": (
        "directory-order",
        "opendir(my $d, 'parts'); print join(' ', grep { !/^\\./ } readdir $d), \"\\n\";\n",
    ),
    "report.sh": ("machine", "grep -m1 'model name' /proc/cpuinfo; cut -d' ' -f1 /proc/loadavg\n"),
    "fetch.py": (
        "network",
        (
            "import socket\ntry:\n    s = socket.create_connection((HOST, PORT), 5)\n    print(s.recv(100).decode())\n"
            "except OSError:\n    print('offline: the built-in table is used')\n"
        ),
    ),
    "scratch.sh": ("temporary-name", 'f=$(mktemp -d) && echo "sorted in $f" && rmdir "$f"\n'),
    "account.py": ("environment", "import os\nprint('key ends in', os.environ['SERVICE_API_KEY'][-4:])\n"),
    "dates.sh": ("file-times", "echo x > fresh.txt; sleep 0.01; stat -c '%n %y' fresh.txt\n"),
}
"""By the name of the source: why it differs, and what it is."""

STEADY: dict[str, str] = {
    "seeded.py": "import random\nrandom.seed(7)\nprint([random.random() for _ in range(3)])\n",
    "sorted.py": "print(sorted({'alpha', 'beta', 'gamma'}))\n",
    "names.sh": "mkdir -p many; for i in 3 1 2; do : > many/$i; done; ls many\n",
    "joined.c": (
        "#include <pthread.h>\n#include <stdio.h>\nstatic double parts[4];\n"
        "static void *work(void *at) { for (int i = 1; i < 300000; i++) *(double *)at += 1.0 / i; return NULL; }\n"
        "int main(void) { pthread_t all[4]; for (int i = 0; i < 4; i++) pthread_create(&all[i], NULL, work, parts + i);"
        " double sum = 0; for (int i = 0; i < 4; i++) { pthread_join(all[i], NULL); sum += parts[i]; }"
        ' printf("%.17g\\n", sum); }\n'
    ),
    "primes.pl": "print join(' ', grep { my $n = $_; !grep { $n % $_ == 0 } 2..$n-1 } 2..60), \"\\n\";\n",
    "digest.sh": "printf abc | sha256sum\n",
    "elapsed.py": "import time\nt = time.monotonic()\nsum(range(1000))\nprint(time.monotonic() - t < 60)\n",
    "temporary.py": "import tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'12')\n    print(f.tell())\n",
    "children.sh": "for i in 1 2 3; do (echo child $i) & wait; done\n",
    "dict.py": "print({name: len(name) for name in ('one', 'three', 'five')})\n",
    "epoch.sh": "TZ=UTC0 date -d @86400 +%F\n",
    "maths.c": '#include <math.h>\n#include <stdio.h>\nint main(void) { printf("%.17g\\n", sin(1.0) + exp(0.5)); }\n',
}
INTERPRETERS = {".py": "python3", ".sh": "sh", ".pl": "perl"}


def write_programs(folder: Path, port: int) -> dict[str, list[str]]:
    """Write all programs into a folder; return the command of each, to be run in that folder.

    Sources in C are compiled.
    """
    commands = {}
    (folder / "parts").mkdir(exist_ok=True)
    for number in range(1, 41):  # in an order that no unpacker makes them in
        (folder / "parts" / f"p{number * 7919 % 1000}").touch()
    for name, source in {**{name: text for name, (_, text) in UNSTEADY.items()}, **STEADY}.items():
        path = folder / name
        path.write_text(source.replace("HOST, PORT", f"'127.0.0.1', {port}"))
        if path.suffix == ".c":
            program = path.with_suffix("")
            command = ["gcc", "-O1", "-pthread", "-o", str(program), str(path), "-lm"]
            subprocess.run(command, check=True, capture_output=True)
            commands[name] = [f"./{program.name}"]
        else:
            commands[name] = [INTERPRETERS[path.suffix], name]
    return commands
