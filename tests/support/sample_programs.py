"""Programs of all kinds that tests trace, pack and replay: files, how they are started, and what must be out of reach.

Each is a folder with a `run.sh`; what it writes and prints is the same each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
EXPERIMENTS = CHECKOUT / "fixtures/experiments"
PLOTS = CHECKOUT / ".bench/plots"
"""A virtual environment with numpy, pandas and matplotlib, which scripts/test makes."""

ANALYSE = """\
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
frame = pd.DataFrame({"site": rng.integers(0, 4, 400), "value": rng.normal(size=400).round(6)})
table = frame.groupby("site")["value"].agg(["count", "mean", "std"]).round(9)
table.to_csv("table.csv")
figure, axes = plt.subplots()
axes.bar(table.index, table["mean"])
figure.savefig("means.png")
np.save("values.npy", frame["value"].to_numpy())
print(table)
"""
FIT_R = """\
stations <- read.csv("stations.csv")
fit <- lm(anomaly ~ year, stations)
print(round(coef(fit), 6))
write.csv(data.frame(year = stations$year, fitted = round(fitted(fit), 9)), "fitted.csv", row.names = FALSE)
"""
STATIONS = "year,anomaly\n" + "".join(
    f"{year},{(year - 2000) * 0.021 + year % 3 * 0.1:.3f}\n" for year in range(2000, 2020)
)
COUNT_JS = """\
const fs = require('fs');
const path = require('path');
const words = fs.readFileSync(path.join(__dirname, 'words.txt'), 'utf8').trim().split(/\\s+/);
const counts = new Map();
for (const word of words) counts.set(word, (counts.get(word) || 0) + 1);
const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
fs.writeFileSync('counts.json', JSON.stringify(Object.fromEntries(sorted), null, 1));
console.log(`${counts.size} words; ${sorted[0].join(': ')}`);
"""
QUERY_SQL = """\
.mode csv
.import stations.csv stations
create table decades as select substr(year, 1, 3) || '0' as decade, round(avg(anomaly), 6) as mean
    from stations group by 1 order by 1;
select * from decades;
"""
SERVE = """\
import http.server, json, threading, urllib.request

class Squares(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([n * n for n in range(int(self.path[1:]))]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Squares)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], file=open("port", "w"), flush=True)
open("ready", "w").close()
while not __import__("os").path.exists("done"):
    __import__("time").sleep(0.02)
"""
ASK = """\
import os, time, urllib.request
while not os.path.exists("ready"):
    time.sleep(0.02)
port = int(open("port").read())
answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/8").read()
open("answer.json", "wb").write(answer)
open("done", "w").close()
print(answer.decode())
"""
MAKEFILE = """\
CFLAGS = -O1
total: total.o add.o
\t$(CC) -o $@ $^
%.o: %.c add.h
\t$(CC) $(CFLAGS) -c $<
result.txt: total
\t./total 40 2 > $@
"""
TOTAL_C = """\
#include <stdio.h>
#include <stdlib.h>
#include "add.h"
int main(int n, char **v) { printf("%d\\n", n > 2 ? add(atoi(v[1]), atoi(v[2])) : 0); }
"""
RING = """\
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, own, sum;
    char name[32];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    own = rank + 1;
    MPI_Allreduce(&own, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    snprintf(name, sizeof name, "out.%d", rank);
    FILE *out = fopen(name, "w");
    fprintf(out, "rank %d of %d: %d\\n", rank, size, sum);
    fclose(out);
    MPI_Finalize();
    return 0;
}
"""


@dataclass(frozen=True)
class Program:
    """An experiment: its files by name, or the sample in fixtures, and how it is started.

    ``outputs`` are what it leaves, besides what it prints. ``requires`` is what its tests need of the machine,
    ``hidden`` which files and folders of the machine it needs, and rtrace does not: nobody can look at them while it is
    replayed. ``prepare`` is done before it is traced.
    """

    name: str
    outputs: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    script: str = ""
    sample: bool = False
    requires: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()


def list_expected(name: str) -> tuple[str, ...]:
    """Return the names of what a sample experiment leaves."""
    folder = EXPERIMENTS / name / "expected"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return tuple(path for path in found if path != "stdout")


PROGRAMS = (
    Program("text-pipeline", list_expected("text-pipeline"), sample=True, requires=("awk",)),
    Program("python-analysis", list_expected("python-analysis"), sample=True),
    Program(
        "c-program",
        list_expected("c-program"),
        sample=True,
        requires=("gcc", "make"),
        hidden=("/usr/lib/gcc", "/usr/include", "/usr/bin/make"),
    ),
    Program(
        "plots",
        ("table.csv", "means.png", "values.npy"),
        (("analyse.py", ANALYSE),),
        f"{PLOTS}/bin/python analyse.py",
        requires=("plots",),
        hidden=(str(PLOTS),),
    ),
    Program(
        "r",
        ("fitted.csv",),
        (("fit.R", FIT_R), ("stations.csv", STATIONS)),
        "Rscript fit.R",
        requires=("Rscript",),
        hidden=("/usr/lib/R", "/usr/bin/Rscript"),
    ),
    Program(
        "node",
        ("counts.json",),
        (("count.js", COUNT_JS), ("words.txt", "the comet and the tail and the comet\n" * 9)),
        "node count.js",
        requires=("node",),
        hidden=(os.path.realpath(shutil.which("node") or "/usr/bin/node"),),
    ),
    Program(
        "sqlite",
        ("all.db",),
        (("query.sql", QUERY_SQL), ("stations.csv", STATIONS)),
        "rm -f all.db && sqlite3 all.db < query.sql",
        requires=("sqlite3",),
        hidden=("/usr/bin/sqlite3",),
    ),
    Program(
        "localhost",
        ("answer.json",),
        (("serve.py", SERVE), ("ask.py", ASK)),
        "rm -f ready done port; /usr/bin/python3 serve.py & /usr/bin/python3 ask.py; wait; rm -f port ready done",
        requires=("/usr/bin/python3",),
    ),
    Program(
        "make",
        ("result.txt", "total"),
        (
            ("Makefile", MAKEFILE),
            ("add.h", "int add(int, int);\n"),
            ("add.c", '#include "add.h"\nint add(int a, int b) { return a + b; }\n'),
            (
                "total.c",
                TOTAL_C,
            ),
        ),
        "make -j2 result.txt && cat result.txt",
        requires=("gcc", "make"),
        hidden=("/usr/lib/gcc", "/usr/include", "/usr/bin/make"),
    ),
    Program(
        "mpi",
        ("out.0", "out.1", "out.2"),
        (("ring.c", RING),),
        "mpirun.openmpi --oversubscribe -n 3 ./ring && cat out.0 out.1 out.2",
        requires=("mpirun.openmpi", "mpicc.openmpi"),
        hidden=("/usr/lib/x86_64-linux-gnu/openmpi", "/usr/bin/orted"),
        prepare=("mpicc.openmpi", "ring.c", "-o", "ring"),
    ),
)
BY_NAME = {program.name: program for program in PROGRAMS}
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "SOURCE_DATE_EPOCH": "1700000000"}


def make_bundle(program: Program, folder: Path) -> Path:
    """Trace a program in a folder of its own below ``folder``, pack it, and remove the former; return the bundle."""
    work = folder / program.name
    if program.sample:
        shutil.copytree(EXPERIMENTS / program.name, work, ignore=lambda *_: ["expected"])
    else:
        work.mkdir()
        for name, content in program.files:
            (work / name).write_text(content)
        (work / "run.sh").write_text(f"#!/bin/sh\n{program.script}\n")
        (work / "run.sh").chmod(0o755)
    if program.prepare:
        subprocess.run(program.prepare, cwd=work, check=True, capture_output=True)
    bundle = folder / f"{program.name}.rpz"
    for words in (("trace", "--no-history", "-q", "./run.sh"), ("pack", "-q", bundle)):
        done = subprocess.run(
            [sys.executable, "-m", "rtrace", *words],
            cwd=work,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
    shutil.rmtree(work)
    return bundle


HIDE = """\
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mount -t tmpfs none "$1"; elif [ -e "$1" ]; then mount --bind /dev/null "$1"; fi || exit 99
    shift
done
shift
exec "$@"
"""


def hiding(program: Program) -> tuple[str, ...]:
    """Return what root starts a command with, so that it sees nothing of what a program needs of the machine."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE, "sh", *program.hidden, "--")
