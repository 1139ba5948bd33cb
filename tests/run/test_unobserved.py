"""An observer that cannot look says so: nothing that a run used is missing from a trace in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from observing import Observation, observe, run_rtrace
from plain_user import UID, PlainUser
from rtrace.capture.kernel.architecture import native_architectures
from rtrace.trace.schema import Use

ENGINES = ("notify", "seccomp", "stops")
PROGRAMS = Path(__file__).parents[2] / "fixtures/programs"
X86_64 = native_architectures()[0].name == "x86_64"

MANY = """
import os, sys, threading
kind, number = sys.argv[1], int(sys.argv[2])
one_at_a_time = threading.Lock()  # all of them together would need more open files than there may be
def look(index):
    with one_at_a_time:
        descriptor = os.open(f"d/{index}", os.O_RDONLY)
        os.close(descriptor)
if kind == "threads":
    threading.stack_size(1 << 16)
    together = threading.Barrier(number)
    def work(index):
        together.wait()
        look(index)
        together.wait()
    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    reading, writing = os.pipe()
    ready, tell = os.pipe()
    for index in range(number):
        if os.fork() == 0:
            os.close(writing)
            os.write(tell, b".")
            os.read(reading, 1)
            look(index)
            os._exit(0)
    left = number
    while left:
        left -= len(os.read(ready, left))
    os.close(writing)
    for index in range(number):
        os.wait()
"""

HIDING = """
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static void show(int folder, const char *name)
{
    char text[64] = "";
    int file = openat(folder, name, O_RDONLY);
    if (read(file, text, 63) > 0) printf("%s", text);
    fflush(stdout);
}
int main(void)
{
    printf("%d\\n", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    show(AT_FDCWD, "one.txt");
    show(open("folder", O_RDONLY | O_DIRECTORY), "two.txt");
    if (chdir("folder") == 0) show(AT_FDCWD, "three.txt");
    if (fork() == 0) {
        show(AT_FDCWD, "four.txt");
        execl("/bin/cat", "cat", "five.txt", NULL);
    }
    wait(NULL);
    return 0;
}
"""

READER = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char text[64] = "";
    if (argc != 2 || chdir("folder") != 0 || read(open(argv[1], O_RDONLY), text, 63) <= 0) return 1;
    printf("%s", text);
    return 0;
}
"""

UNTRACED = """
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct clone_args arguments;
    int status = 0;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CLONE_UNTRACED;
    arguments.exit_signal = SIGCHLD;
    long child = argc > 1 ? syscall(SYS_clone3, &arguments, sizeof arguments)
                          : syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        execl("/bin/cat", "cat", "input.txt", NULL);
        _exit(9);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
"""

UNTRACED_FOR_GOOD = """
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    struct clone_args arguments = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
    FILE *file = tmpfile();
    fwrite(&arguments, sizeof arguments, 1, file);
    fflush(file);
    void *shared = mmap(NULL, sizeof arguments, PROT_READ, MAP_SHARED, fileno(file), 0);
    long child = syscall(SYS_clone3, shared, sizeof arguments);
    if (child == 0)
        _exit(0);
    printf("%d\\n", child < 0 ? errno : 0);
    return 0;
}
"""


def compile_program(folder: Path, source: str, *options: str) -> Path:
    """Compile a C program, and return where it is."""
    program = folder / "program"
    (folder / "program.c").write_text(source)
    subprocess.run(["gcc", "-Wall", *options, "-o", program, folder / "program.c"], check=True)
    return program


def told(observation: Observation) -> list[str]:
    """Return what the trace says of what was not captured."""
    return [row["what"] for row in observation.rows("SELECT what FROM notices")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind, limit", [("threads", "-Sn 64"), ("threads", "-n 64"), ("processes", "-n 64")])
def test_more_threads_than_open_files(kind: str, limit: str, engine: str, tmp_path: Path) -> None:
    """However few files a process may have open, what each of many threads or processes opens is in the trace."""
    (tmp_path / "d").mkdir()
    for index in range(100):
        (tmp_path / f"d/{index}").touch()
    command = f'ulimit {limit}; exec "$@"'
    trace = [sys.executable, "-m", "rtrace", "trace", "-q", "-d", "trace", sys.executable, "-c", MANY, kind, "100"]
    environment = {**os.environ, "RTRACE_ENGINE": engine}
    completed = subprocess.run(
        ["bash", "-c", command, "bash", *trace],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        timeout=200,
    )
    assert (completed.returncode, completed.stderr) == (0, b"")
    used = Observation(completed, tmp_path / "trace").uses_below(tmp_path / "d")
    assert {name for name, use in used.items() if use & Use.READ} == {b"%d" % index for index in range(100)}


@pytest.mark.requires("root", "unshare")
def test_proc_of_another_pid_namespace_is_refused(tmp_path: Path) -> None:
    """In a PID namespace whose /proc is another's, nothing is run, and one sentence says how to mount its own."""
    command = [sys.executable, "-m", "rtrace", "trace", "-d", str(tmp_path / "trace"), "touch", str(tmp_path / "ran")]
    completed = subprocess.run(["unshare", "-mpf", *command], capture_output=True, check=False, timeout=60)
    assert completed.returncode == 125
    assert completed.stderr.count(b"\n") == 1
    assert b"another PID namespace" in completed.stderr
    assert b"--mount-proc" in completed.stderr
    assert list(tmp_path.iterdir()) == []
    completed = subprocess.run(
        ["unshare", "-mpf", "--mount-proc", *command], capture_output=True, check=False, timeout=60
    )
    assert completed.returncode == 0, completed.stderr
    assert (tmp_path / "ran").exists()


@pytest.mark.requires("root", "unshare")
def test_missing_proc_is_refused(tmp_path: Path) -> None:
    """Without a /proc nothing is run, and one sentence says how to mount one."""
    command = 'umount -l /proc && exec "$@"'
    trace = [sys.executable, "-m", "rtrace", "trace", "-d", str(tmp_path / "trace"), "touch", str(tmp_path / "ran")]
    completed = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", *trace], capture_output=True, check=False, timeout=60
    )
    assert completed.returncode == 125
    assert completed.stderr.startswith(b"rtrace: /proc is not mounted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_folder_deeper_than_a_path_may_be_long(engine: str, tmp_path: Path) -> None:
    """What a run uses where no path leads any more is told with the program's name and the reason."""
    script = "import os\nfor i in range(25): os.mkdir('d' * 200); os.chdir('d' * 200)\nopen('made', 'w').close()"
    environment = {**os.environ, "RTRACE_ENGINE": engine}
    observation = observe(tmp_path / "trace", sys.executable, "-c", script, cwd=tmp_path, env=environment)
    try:
        assert observation.completed.returncode == 0
        (what,) = told(observation)
        assert what.startswith("python")
        assert "File name too long" in what
        assert b"not captured: python" in observation.completed.stderr
    finally:
        subprocess.run(["rm", "-rf", tmp_path / ("d" * 200)], check=True)


def test_bad_pointers_and_missing_files_are_nothing_to_tell(tmp_path: Path) -> None:
    """Calls that fail of the program's own doing are no notice: a bad pointer, a closed descriptor, an endless name."""
    script = (
        "import ctypes, os; libc = ctypes.CDLL(None); libc.open(8, 0); libc.openat(99, b'x', 0);"
        "libc.open(b'/tmp/' + b'n' * 300, 0); libc.open(b'/nowhere/x', 0); libc.open(b'/etc/passwd/x', 0);"
        "libc.open(b'/' * 5000 + b'x', 0)"
    )
    observation = observe(tmp_path / "trace", sys.executable, "-c", script)
    assert observation.completed.returncode == 0
    assert told(observation) == []


def test_what_is_refused_to_the_program_too_is_nothing_to_tell(plain_user: PlainUser) -> None:
    """A plain user's program that may not enter a folder meets nothing there, and so says the trace."""
    (plain_user.home / "closed").mkdir(mode=0o700)
    (plain_user.home / "closed").chmod(0)
    plain_user.give(plain_user.home)
    completed = plain_user.run(plain_user.rtrace, "trace", "-q", "-d", "trace", "cat", "closed/input.txt")
    observation = Observation(completed, plain_user.home / "trace")
    assert told(observation) == []
    assert observation.uses_below(plain_user.home / "closed") == {b"input.txt": Use.LOOKUP}


@pytest.mark.requires("gcc")
@pytest.mark.parametrize("engine", ENGINES)
def test_program_that_hides_from_a_plain_user(engine: str, plain_user: PlainUser) -> None:
    """A program that makes itself non-dumpable is seen as before: its folders, its descriptors, its children."""
    home = plain_user.home
    program = compile_program(home, HIDING)
    (home / "folder").mkdir()
    (home / "one.txt").write_text("one\n")
    for name in ("two", "three", "four", "five"):
        (home / f"folder/{name}.txt").write_text(f"{name}\n")
    plain_user.give(home)
    environment = {"RTRACE_ENGINE": engine}
    completed = plain_user.run(plain_user.rtrace, "trace", "-q", "-d", "trace", program, env=environment)
    assert (completed.returncode, completed.stderr) == (0, b"")
    assert completed.stdout == b"0\none\ntwo\nthree\nfour\nfive\n"
    observation = Observation(completed, home / "trace")
    used = observation.uses_below(home)
    read = {name for name, use in used.items() if use & Use.READ}
    assert read == {b"one.txt", *(b"folder/%s.txt" % name for name in (b"two", b"three", b"four", b"five"))}
    assert told(observation) == []


@pytest.mark.requires("root", "gcc")
@pytest.mark.skipif(not X86_64, reason="needs registers as x86-64 has them")
@pytest.mark.parametrize("options", [(), ("-m32",)])
@pytest.mark.parametrize("engine", ENGINES)
def test_program_that_may_be_executed_and_not_read(
    engine: str, options: tuple[str, ...], plain_user: PlainUser
) -> None:
    """What such a program reads is in a plain user's trace, with its arguments; that it cannot be kept is told."""
    home = plain_user.home
    (home / "folder").mkdir()
    (home / "folder/input.txt").write_text("input\n")
    plain_user.give(home)
    program = compile_program(home, READER, *options)
    program.chmod(0o711)
    environment = {"RTRACE_ENGINE": engine}
    completed = plain_user.run(plain_user.rtrace, "trace", "-q", "-d", "trace", program, "input.txt", env=environment)
    assert (completed.returncode, completed.stdout) == (0, b"input\n"), completed.stderr
    observation = Observation(completed, home / "trace")
    assert observation.uses_below(home)[b"folder/input.txt"] == Use.READ
    assert observation.uses_below(home)[b"program"] & Use.EXECUTE
    (execution,) = observation.rows("SELECT argv FROM executions")
    assert execution["argv"] == os.fsencode(program) + b"\0input.txt\0"
    (what,) = told(observation)
    assert what.startswith(f"{program} may be executed and not read")


@pytest.mark.requires("root", "gcc")
@pytest.mark.parametrize("user", [str(UID), "dead"])
def test_filesystem_that_root_may_not_enter_or_that_is_gone(user: str, tmp_path: Path) -> None:
    """What a run uses where root cannot look is told with program, path and reason, and is not said to be missing."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    server = tmp_path / "server"
    subprocess.run(["gcc", "-Wall", "-o", server, PROGRAMS / "fuse_server.c"], check=True)
    mount = tmp_path / "mount"
    mount.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    trace = [sys.executable, "-m", "rtrace", "trace", "-q", "-d", str(tmp_path / "trace")]
    run = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "cat", str(mount / "served")]
    completed = subprocess.run([server, mount, user, *trace, *run], capture_output=True, check=False, timeout=60)
    dead = user == "dead"
    assert completed.stdout == (b"" if dead else b"content\n"), completed.stderr
    observation = Observation(completed, tmp_path / "trace")
    (what,) = told(observation)
    reason = "Transport endpoint is not connected" if dead else "Permission denied"
    assert what == f"cat used {mount}, at which rtrace {'could' if dead else 'may'} not look ({reason})"
    assert observation.uses_below(mount) == {}


@pytest.mark.requires("root", "gcc")
@pytest.mark.parametrize(
    "command", ["cat mount/served", "echo x >> mount/served", "touch mount/new", "rm mount/served"]
)
def test_file_that_root_may_not_use_and_the_run_may(command: str, tmp_path: Path) -> None:
    """Where root is nobody, as on NFS with root_squash, a use that root cannot judge is told, and not called a look."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    server = tmp_path / "server"
    subprocess.run(["gcc", "-Wall", "-o", server, PROGRAMS / "fuse_server.c"], check=True)
    (tmp_path / "mount").mkdir()
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    trace = [sys.executable, "-m", "rtrace", "trace", "-q", "-d", str(tmp_path / "trace")]
    run = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "sh", "-c", command]
    completed = subprocess.run(
        [server, "mount", "squash", *trace, *run], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    observation = Observation(completed, tmp_path / "trace")
    words = told(observation)
    assert words, completed.stderr
    assert all(" used " in what and what.endswith("at which rtrace may not look (Permission denied)") for what in words)


@pytest.mark.requires("gcc")
@pytest.mark.parametrize("arguments", [(), ("clone3",)], ids=["clone", "clone3"])
@pytest.mark.parametrize("options", [(), ("-m32",)] if X86_64 else [()])
@pytest.mark.parametrize("engine", ENGINES)
def test_child_that_ptrace_is_not_told_of(
    engine: str, options: tuple[str, ...], arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """A child made with CLONE_UNTRACED runs as it would untraced, and what it executes and reads is in the trace."""
    program = compile_program(tmp_path, UNTRACED, *options)
    (tmp_path / "input.txt").write_text("input\n")
    environment = {**os.environ, "RTRACE_ENGINE": engine}
    observation = observe(tmp_path / "trace", program, *arguments, cwd=tmp_path, env=environment)
    assert (observation.completed.returncode, observation.completed.stdout) == (0, b"input\n")
    assert observation.uses()[bytes(tmp_path / "input.txt")] == Use.READ
    assert observation.uses()[os.path.realpath(b"/bin/cat")] & Use.EXECUTE
    argv = [row["argv"] for row in observation.rows("SELECT argv FROM executions ORDER BY id")]
    assert argv[-1] == b"cat\0input.txt\0"


@pytest.mark.requires("gcc")
@pytest.mark.parametrize("engine", ENGINES)
def test_child_is_refused_whose_flags_cannot_be_changed(engine: str, tmp_path: Path) -> None:
    """Flags of clone3 in memory that is shared and read-only stay as they are: the call is answered with ENOSYS."""
    program = compile_program(tmp_path, UNTRACED_FOR_GOOD)
    observation = observe(tmp_path / "trace", program, env={**os.environ, "RTRACE_ENGINE": engine})
    assert (observation.completed.returncode, observation.completed.stdout) == (0, b"38\n")


@pytest.mark.requires("root", "setpriv")
def test_program_that_became_another_user_without_the_capability(tmp_path: Path) -> None:
    """Root without CAP_SYS_PTRACE, as in a container, sees what a program does that has become another user."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    (tmp_path / "input.txt").write_text("input\n")
    bounded = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    trace = [sys.executable, "-m", "rtrace", "trace", "-q", "-d", str(tmp_path / "trace")]
    become = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
    command = [*bounded, *trace, *become, "sh", "-c", "cat input.txt"]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, b"input\n", b"")
    assert Observation(completed, tmp_path / "trace").uses_below(tmp_path)[b"input.txt"] == Use.READ


def test_run_without_trouble_tells_nothing(tmp_path: Path) -> None:
    """An ordinary run has no notice."""
    completed = run_rtrace("trace", "-q", "-d", tmp_path / "trace", "sh", "-c", "ls / | cat; cd /usr; ls")
    assert (completed.returncode, completed.stderr) == (0, b"")
