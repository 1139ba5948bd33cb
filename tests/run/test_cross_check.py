"""On real programs rtrace and strace agree on which files were opened and which executed, both ways."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from observing import Observation, observe
from requirements import answers
from rtrace.trace.schema import Use

OPENED = Use.READ | Use.WRITE | Use.TRUNCATE | Use.LIST
CALL = re.compile(
    rb"(?P<call>open|openat|openat2|creat|execve|execveat)\((?P<arguments>.*)\)\s+= (?P<result>\d+)"
    rb"(?:<(?P<path>.*?)>(?:\(deleted\))?)?(?: .*)?$"
)
NOT_A_FILE = re.compile(rb"(pipe|socket|anon_inode):|/proc(/|$)|/memfd:|/dev/pts/|/dev/ptmx|/dev/tty$")
"""What differs from run to run by its nature: files of /proc belong to a process, terminals to a session. A device may
also answer ENXIO, as /dev/tty does without a terminal, which cannot be known before the call."""


@dataclass(frozen=True)
class Program:
    """A program to run in a shell: what it needs, and the parts of file names that it makes up anew at each run."""

    script: str
    needs: tuple[str, ...]
    made_up: str = r"(?!)"


PROGRAMS = {
    "git": Program(
        "git init -q . && git config user.email a@example.org && git config user.name A && git config gc.auto 0"
        " && git add . && git commit -q -m one && git checkout -q -b branch && git rm -q letters/one"
        " && git commit -q -m two && git checkout -q - && git status --short && git log --stat | cat",
        ("git",),
        r"(?<=tmp_obj_)\w{6}|(?<=\.git/)t\w{6}$|(?<=/objects/)[0-9a-f]{2}(/|$)([0-9a-f]{38})?|(?<=/tmp/)\.\w+",
    ),
    "make and gcc": Program("make -s -j2 && ./program && make -s clean", ("make", "gcc"), r"(?<=/cc)\w{6}(?=\.)"),
    "apt-cache": Program("apt-cache policy bash", ("apt-cache",), r"(?<=\.bin\.)\w{6}|(?<=/apt\.)\w+"),
    "python": Program("python3 -c 'import json, sqlite3, decimal, urllib.request'", ("python3",)),
    "python with numpy": Program("python3 -c 'import numpy; numpy.linalg.inv(numpy.eye(3))'", ("python3", "numpy")),
    "perl": Program("perl -MPOSIX -MFile::Find -MData::Dumper -e 'find(sub { -f && open(F, $_) }, \".\")'", ("perl",)),
    # Without setarch, where things lie in memory decides whether it opens its own file: 1 run in 120 does not.
    "node": Program("setarch -R node -e 'require(\"fs\").readFileSync(\"table\"); require(\"http\")'", ("node",)),
    "java": Program("java -Xshare:auto Hello.java", ("java",), r"(?<=/hsperfdata_)\w+/\d+|(?<=/)\.java_pid\d+"),
    "sqlite3": Program(
        "sqlite3 data.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1); BEGIN; UPDATE t SET a = 2; ROLLBACK; VACUUM'",
        ("sqlite3",),
        r"(?<=/etilqs_)\w+",
    ),
    "tar": Program("tar czf all.tgz letters table && mkdir out && tar xzf all.tgz -C out && tar tf all.tgz", ("tar",)),
    "rsync": Program("rsync -a letters/ copy && rsync -a --delete letters/ copy", ("rsync",), r"(?<=\.)\w{6}$"),
    "find": Program("find . -type f -name '*o*' -exec cat {} + && find . -type d -empty -delete", ("find",)),
    "sed": Program("sed -i s/a/b/ table letters/*", ("sed",), r"(?<=/sed)\w{6}$"),
    "grep": Program("grep -r a . ; grep -c b table", ("grep",)),
    "sort": Program("sort -o sorted table && sort -u table letters/one | uniq -c", ("sort",), r"(?<=/tmp/sort)\w{6}$"),
    "awk": Program("awk '{ print $1 > \"first\"; getline line < \"letters/one\" }' table", ("awk",)),
    "bash": Program(
        'shopt -s nullglob; diff <(sort table) <(sort letters/one); cat <<<here; for f in */*; do cat "$f"; done;'
        " exec 3< table; read -u 3 line; (cd letters; source ../sourced.sh); : > new; echo x >> new; test -s new",
        ("bash", "diff"),
        r"(?<=/sh-thd\.)\w+",
    ),
    "cp and rm": Program("cp -r letters copy && cp -a link table copy && mv copy moved && rm -r moved", ("cp",)),
    "xargs": Program("ls letters/* | xargs -n1 -P4 sh -c 'cat < $0 > $0.copy; chmod +x $0.copy'", ("xargs",)),
    "compressors": Program("gzip -k table && gunzip -c table.gz | bzip2 | bunzip2 | xz | xzcat", ("bzip2", "xz")),
    "ed-like tools": Program("split -l 2 table part- && join table table && paste table part-* | cut -f1", ("split",)),
    "libraries": Program("ldd /bin/sh && file table || true", ("ldd",)),
}  # fmt: skip


def prepare(folder: Path) -> None:
    """Make the files that the programs work on."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "letters/empty").mkdir(parents=True)
    (folder / "table").write_text("b 2\na 1\nc 3\na 1\nd 4\n")
    (folder / "letters/one").write_text("a line\nanother\n")
    (folder / "letters/two").write_text("b\n")
    (folder / "link").symlink_to("letters/two")
    (folder / "sourced.sh").write_text("cat one\n")
    (folder / "main.c").write_text('#include <stdio.h>\n#include "sum.h"\nint main(void) { return sum(1, -1); }\n')
    (folder / "sum.h").write_text("int sum(int, int);\n")
    (folder / "sum.c").write_text('#include "sum.h"\nint sum(int a, int b) { return a + b; }\n')
    (folder / "Makefile").write_text(
        "program: main.o sum.o\n\t$(CC) -o $@ $^\nclean:\n\trm -f *.o program\nmain.o sum.o: sum.h\n"
    )
    (folder / "Hello.java").write_text(
        'class Hello { public static void main(String[] a) { System.out.println("hello"); } }\n'
    )


def read_strace(outputs: list[Path], work: Path) -> tuple[set[bytes], set[bytes]]:
    """Read which files were opened, and which executed, successfully; one output file for each thread."""
    opened, executed = set(), set()
    for output in outputs:
        for line in output.read_bytes().splitlines():
            call = CALL.match(line)
            if call is None or b"O_PATH" in line or b"O_TMPFILE" in line:
                continue
            if call["call"].startswith(b"exec"):
                name = call["arguments"].split(b'"')[1]
                executed.add(os.path.realpath(os.path.join(os.fsencode(work), name)))
            elif call["path"] is not None:
                opened.add(call["path"])
    return opened, executed


def read_trace(observation: Observation) -> tuple[set[bytes], set[bytes]]:
    """Read the same from a trace."""
    rows = observation.rows("SELECT DISTINCT p.path, u.use FROM uses u JOIN paths p ON p.id = u.path")
    opened = {row["path"] for row in rows if row["use"] & OPENED}
    rows = observation.rows("SELECT DISTINCT p.path FROM executions e JOIN paths p ON p.id = e.path")
    return opened, {row["path"] for row in rows}


def normalise(paths: set[bytes], program: Program) -> set[bytes]:
    """Return the paths of files, with the same word in place of what the program makes up anew at each run."""
    made_up = re.compile(os.fsencode(program.made_up))
    return {made_up.sub(b"*", path) for path in paths if not NOT_A_FILE.match(path)}


@pytest.mark.requires("strace", "bash")
@pytest.mark.parametrize("name", PROGRAMS)
def test_strace_sees_the_same_files(name: str, tmp_path: Path) -> None:
    """The sets of opened and of executed files are equal: rtrace misses none and invents none."""
    program = PROGRAMS[name]
    for need in program.needs:
        if not (answers("python3", "-c", "import numpy") if need == "numpy" else shutil.which(need)):
            pytest.skip(f"needs {need}")
    work, home = tmp_path / "work", tmp_path / "home"
    home.mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["bash", "-c", program.script]
    prepare(work)  # the first time fills caches that outlast a run
    subprocess.run(command, cwd=work, env=environ, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    prepare(work)
    calls = "trace=open,openat,openat2,creat,execve,execveat"
    options = ["-ff", "-y", "-qq", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", str(tmp_path / "strace")]
    straced = subprocess.run(
        ["strace", *options, *command],
        cwd=work,
        env=environ,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    theirs = read_strace(sorted(tmp_path.glob("strace.*")), work)
    prepare(work)
    observation = observe(tmp_path / "trace", *command, cwd=work, env=environ, stdin=subprocess.DEVNULL)
    assert observation.completed.returncode == straced.returncode, observation.completed.stderr.decode()
    ours = read_trace(observation)
    for expected, actual in zip(theirs, ours, strict=True):
        known, seen = normalise(expected, program), normalise(actual, program)
        assert {"missed": known - seen, "invented": seen - known} == {"missed": set(), "invented": set()}
