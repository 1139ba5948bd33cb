"""What programs of other kinds touch is in the trace exactly: shells, Python, static binaries, Go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from observing import observe
from rtrace.trace.schema import Use

R, W, T, C, A = Use.READ, Use.WRITE, Use.TRUNCATE, Use.CREATE, Use.APPEND
LIST, LOOKUP, EXECUTE, REMOVE, METADATA = Use.LIST, Use.LOOKUP, Use.EXECUTE, Use.REMOVE, Use.METADATA

SHELL = {
    "read < file": {"file": R},
    ": > file": {"file": T | W},
    ": >> file": {"file": W | A},
    ": <> file": {"file": R | W},
    ": > new": {"new": C | W},
    "set -C; : > new": {"new": C | W | LOOKUP},
    ". ./sourced": {"sourced": R, "file": R},
    "cd folder; read < inner": {"folder": LOOKUP, "folder/inner": R},
    "cd folder; cd ..; read < file": {"folder": LOOKUP, ".": LOOKUP, "file": R},
    "(cd folder; read < inner); read < file": {"folder": LOOKUP, "folder/inner": R, "file": R},
    "for f in folder/*; do read < $f; done": {"folder": LIST, "folder/inner": R},
    "read < link": {"link": LOOKUP, "file": R},
    "read < dangling || :": {"dangling": LOOKUP, "nowhere": LOOKUP},
    "test -s file": {"file": LOOKUP},
    "test -L link": {"link": LOOKUP},
    "test -d absent/deeper || :": {"absent/deeper": LOOKUP},
    "read < folder/../file": {"file": R, "folder": LOOKUP},
    "umask 077; : > new; read < new || :": {"new": C | W | R},
    "command -v ./program > /dev/null": {"program": LOOKUP},
    "./program": {"program": LOOKUP | EXECUTE},
    "exec ./program": {"program": LOOKUP | EXECUTE},
    "./program & wait": {"program": LOOKUP | EXECUTE},
    "read < file & read < folder/inner & wait": {"file": R, "folder/inner": R},
    "trap 'read < file' EXIT": {"file": R},
    "while read line; do read < folder/inner; done < file": {"file": R, "folder/inner": R},
}

PYTHON = {
    "open('file').read()": {"file": R},
    "open('file', 'w').close()": {"file": T | W},
    "open('file', 'a').close()": {"file": W | A},
    "open('file', 'r+').close()": {"file": R | W},
    "open('new', 'x').close()": {"new": C | W},
    "os.listdir('folder')": {"folder": LIST},
    "os.scandir('folder').close()": {"folder": LIST},
    "list(os.walk('folder'))": {"folder": LIST},
    "os.stat('link')": {"link": LOOKUP, "file": LOOKUP},
    "os.lstat('link')": {"link": LOOKUP},
    "os.readlink('link')": {"link": LOOKUP},
    "os.replace('file', 'new')": {"file": REMOVE, "new": C},
    "os.remove('file')": {"file": REMOVE},
    "os.chmod('file', 0o600)": {"file": METADATA},
    "os.utime('file')": {"file": METADATA},
    "file = open('file'); os.fchmod(file.fileno(), 0o600)": {"file": R | METADATA},
    "os.mkdir('new'); os.rmdir('new')": {"new": C | REMOVE},
    "os.link('file', 'new')": {"file": LOOKUP, "new": C},
    "os.symlink('file', 'new'); open('new')": {"new": C | LOOKUP, "file": R},
    "os.truncate('file', 1)": {"file": W},
    "os.chdir('folder'); open('inner')": {"folder": LOOKUP, "folder/inner": R},
    "fd = os.open('folder', os.O_PATH); open('inner', opener=lambda p, f: os.open(p, f, dir_fd=fd))": {
        "folder": LOOKUP,
        "folder/inner": R,
    },
    "file = open('file'); mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)": {"file": R},
    "[threading.Thread(target=open, args=['file']).start() for _ in range(20)]": {"file": R},
    "os.posix_spawn('./program', ['program'], {}); os.wait()": {"program": LOOKUP | EXECUTE},
    "os.fork() or os._exit(len(open('file').read()) != 5); os.wait()": {"file": R},
    "socket.socket(socket.AF_UNIX).bind('new')": {"new": C | Use.SOCKET},
    "os.mkfifo('new')": {"new": C},
    "os.open('absent', os.O_RDONLY) if os.path.exists('absent') else 0": {"absent": LOOKUP},
}

STATIC = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{
    struct stat status;
    FILE *file = fopen("file", "a");
    if (!file || fclose(file) || rename("folder/inner", "moved") || stat("link", &status) || chdir("folder")) return 1;
    return open("../new", O_WRONLY | O_CREAT | O_EXCL, 0600) < 0;
}
"""
STATIC_USES = {
    "file": W | A | LOOKUP,  # the link leads to it
    "folder/inner": REMOVE,
    "moved": C,
    "link": LOOKUP,
    "folder": LOOKUP,
    "new": C | W,
}
COMPILERS = {
    "gcc": ("gcc", "-static"),
    "gcc for i386": ("gcc", "-static", "-m32"),
    "musl": ("musl-gcc", "-static"),
    "position-independent": ("gcc", "-static-pie"),
}

GO = """package main
import ("os"; "os/exec")
func main() {
    content, err := os.ReadFile("file")
    if err != nil || os.WriteFile("new", content, 0600) != nil { os.Exit(1) }
    done := make(chan error)
    for n := 0; n < 8; n++ { go func() { _, err := os.ReadFile("folder/inner"); done <- err }() }
    for n := 0; n < 8; n++ { if <-done != nil { os.Exit(2) } }
    if entries, err := os.ReadDir("folder"); err != nil || len(entries) != 1 { os.Exit(3) }
    if exec.Command("./program").Run() != nil || os.Rename("new", "newer") != nil { os.Exit(4) }
}
"""
GO_USES = {
    "file": R,
    "new": C | W | REMOVE,
    "newer": C | LOOKUP,
    "folder": LIST,
    "folder/inner": R,
    "program": LOOKUP | EXECUTE,
}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with the files that the programs expect."""
    folder = tmp_path / "work"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("file\n")
    (folder / "folder/inner").write_text("inner\n")
    (folder / "sourced").write_text("read line < file\n")
    (folder / "link").symlink_to("file")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "program").write_bytes(Path("/bin/true").read_bytes())
    (folder / "program").chmod(0o755)
    return folder


def assert_touched(work: Path, expected: dict[str, Use], *command: str | Path) -> None:
    """Trace a command and compare what it touched in its folder; where it stands matters to some shells only."""
    observation = observe(work.parent / "trace", *command, cwd=work)
    assert observation.completed.returncode == 0, observation.completed.stderr.decode()
    actual = {os.fsdecode(path): use for path, use in observation.uses_below(work).items()}
    if "." not in expected or actual.get(".") == LOOKUP:
        actual.pop(".", None)
    assert {path: use for path, use in expected.items() if use and path != "."} == actual


@pytest.mark.parametrize("script", SHELL)
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_shell_script(shell: str, script: str, work: Path) -> None:
    """Redirections, globs, tests, subshells and jobs of three shells are in the trace as what they do to files."""
    words = ["busybox", "ash"] if shell == "busybox" else [shell]
    assert_touched(work, SHELL[script], *words, "-c", script.replace("read <", "read line <"))


@pytest.mark.parametrize("statement", PYTHON)
def test_python_statement(statement: str, work: Path) -> None:
    """What the standard library does to files is in the trace as what it is."""
    program = f"import mmap, os, socket, threading; {statement}"
    assert_touched(work, PYTHON[statement], sys.executable, "-I", "-c", program)


@pytest.mark.parametrize("kind", COMPILERS)
def test_static_binary(kind: str, work: Path) -> None:
    """Programs without a dynamic linker, which preloading tools cannot see, are traced like any other."""
    compiler = COMPILERS[kind]
    source, program = work.parent / "source.c", work.parent / "static"
    source.write_text(STATIC)
    try:
        subprocess.run([*compiler, "-o", program, source], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"needs {compiler[0]}")
    observation = observe(work.parent / "trace", program, cwd=work)
    assert observation.completed.returncode == 0
    actual = {os.fsdecode(path): use for path, use in observation.uses_below(work).items()}
    assert actual == STATIC_USES
    assert not any(b"ld-linux" in path or b"libc.so" in path for path in observation.uses())


@pytest.mark.requires("go")
def test_go_binary(work: Path) -> None:
    """A Go program makes its system calls itself, from threads of its own making."""
    source, program = work.parent / "main.go", work.parent / "static"
    source.write_text(GO)
    environ = {**os.environ, "HOME": str(work.parent), "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", program, source], check=True, env=environ, cwd=work.parent)
    observation = observe(work.parent / "trace", program, cwd=work)
    assert observation.completed.returncode == 0
    actual = {os.fsdecode(path): use for path, use in observation.uses_below(work).items()}
    actual.pop(".", None)
    assert actual == GO_USES
