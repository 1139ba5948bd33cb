"""`--freeze`: what a program finds by chance is the same in each run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plain_user import PlainUser

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]
CHANCE = """\
import os, random, tempfile, threading, time, uuid
print(time.time(), time.monotonic(), time.process_time(), os.times().user)
print(random.random(), os.urandom(4).hex(), uuid.uuid4())
print(hash("a"), id(object()))
made = os.listdir(".")
print(made == sorted(made) or "in another order")
"""
MORE = """\
with open("/dev/urandom", "rb") as one, open("/dev/urandom", "rb") as other:
    pair = one.read(4), other.read(4)
    print(pair, pair[0] != pair[1])
with open("/proc/sys/kernel/random/uuid") as file:
    print(file.read())
print(os.getpid(), len(os.sched_getaffinity(0)), os.sysconf("SC_PHYS_PAGES"))
with open("fresh", "w"):
    pass
print(os.stat("fresh").st_mtime, tempfile.mkdtemp())
"""
WAITING = """\
import os, queue, select, shutil, subprocess, threading, time
os.mkdir("many")
for number in range(2000):
    open(f"many/a-name-of-some-length-{number}", "w").close()
shutil.rmtree("many")
came = threading.Event()
threading.Timer(0.05, came.set).start()
began = time.monotonic()
print(came.wait(60), time.monotonic() - began < 30)
try:
    queue.Queue().get(timeout=0.1)
except queue.Empty:
    print("empty", 0.1 <= time.monotonic() - began < 30)
began = time.time()
while time.time() - began < 1:
    pass
while time.time() - began < 2:
    select.select([], [], [], 0.2)
time.sleep(0.1)
print(2.1 <= time.time() - began < 10)
loop = "end=$(( $(date +%s) + 2 )); while [ $(date +%s) -lt $end ]; do sleep 0.3; done; echo done; yes | head -1"
print(subprocess.run(["sh", "-c", loop], stdout=subprocess.PIPE).stdout.decode())
"""
STATIC = """\
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
int main(void) {
    struct timespec now, since;
    struct timeval day;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_MONOTONIC, &since);
    gettimeofday(&day, NULL);
    printf("%ld.%09ld %ld.%09ld", now.tv_sec, now.tv_nsec, since.tv_sec, since.tv_nsec);
    printf(" %ld %ld\\n", day.tv_sec, time(NULL));
}
"""
RACE = """\
#include <pthread.h>
#include <stdio.h>
static void *work(void *number) {
    volatile double sum = 0;
    for (int i = 1; i < 3000000; i++) sum += 1.0 / i;
    printf("%ld ", (long)number);
    return NULL;
}
int main(void) {
    pthread_t all[6];
    for (long i = 0; i < 6; i++) pthread_create(&all[i], NULL, work, (void *)i);
    for (int i = 0; i < 6; i++) pthread_join(all[i], NULL);
}
"""


@pytest.fixture
def bundle(rtrace: Rtrace, tmp_path: Path) -> Callable[..., Path]:
    """Trace a command in a folder of its own, and pack it."""

    def make(*command: str, **files: str) -> Path:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        if "program_c" in files:
            gcc = ["gcc", "-O1", "-pthread", *(["-static"] if files["program_c"] == STATIC else [])]
            subprocess.run([*gcc, "-o", "program", "program.c"], cwd=tmp_path, check=True)
        for arguments in (("trace", "--no-history", *command), ("pack", "b.rpz")):
            done = rtrace(*arguments)
            assert done.returncode in {0, 7}, done.stderr.decode()
        return tmp_path / "b.rpz"

    return make


@pytest.mark.parametrize("engine", ["notify", "seccomp", "stops"])
def test_traced_runs_repeat_themselves(rtrace: Rtrace, tmp_path: Path, engine: str) -> None:
    """Two frozen runs find the same time, numbers, hashes, addresses and order of names, whatever the engine."""
    for name in ("c", "a", "d", "b"):
        (tmp_path / name).touch()
    printed = set()
    for _ in range(2):
        arguments = ("trace", "--freeze", "--overwrite", "--no-history", "python3", "-c", CHANCE)
        done = rtrace(*arguments, env={"RTRACE_ENGINE": engine})
        assert done.returncode == 0, done.stderr.decode()
        printed.add(done.stdout)
    (text,) = printed
    assert text.startswith(b"1577836800.")
    assert text.endswith(b"\nTrue\n")


def test_a_traced_program_still_fails_and_is_recorded(rtrace: Rtrace, tmp_path: Path) -> None:
    """Status, children and files of a frozen run are traced as those of any."""
    done = rtrace("trace", "--freeze", "--no-history", "sh", "-c", "date > when; (exit 3)")
    assert done.returncode == 3, done.stderr.decode()
    assert b"traced 3 processes" in done.stderr or b"traced 2 processes" in done.stderr
    assert "/when" in (tmp_path / ".rtrace" / "manifest.yml").read_text()
    assert (tmp_path / "when").read_text().strip().endswith("2020")


@pytest.mark.requires("user-namespaces")
def test_frozen_replays_agree(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """All that a program finds by chance is the same in two replays, and the clock begins when the run did."""
    path = bundle("python3", "p.py", p_py=CHANCE + MORE)
    replays = [rtrace("replay", "--freeze", "--no-history", path) for _ in range(2)]
    assert [done.returncode for done in replays] == [0, 0], replays[0].stderr.decode()
    assert replays[0].stdout == replays[1].stdout
    assert b", True)\n" not in replays[0].stdout
    assert b") True\n" in replays[0].stdout
    other = rtrace("replay", "--no-history", path).stdout
    assert all(one != two for one, two in zip(replays[0].stdout.split(b"\n")[:3], other.split(b"\n"), strict=False))
    verified = rtrace("verify", "--freeze", "--no-history", path)
    assert replays[0].stdout in verified.stderr


@pytest.mark.requires("user-namespaces")
def test_a_frozen_clock_lets_programs_wait(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """Deadlines, polling, looking at the clock again and again, sleeping, and loops of a shell come to their end."""
    path = bundle("python3", "p.py", p_py=WAITING)
    done = rtrace("replay", "--freeze", "--no-history", path, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == ["True", "True", "empty", "True", "True", "done", "y"]


@pytest.mark.requires("user-namespaces")
def test_a_static_program_is_frozen(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """Without a library that could be replaced, the clock is the frozen one all the same."""
    path = bundle("./program", program_c=STATIC)
    done = rtrace("replay", "--freeze", "--no-history", "--env", "SOURCE_DATE_EPOCH=42", path)
    assert done.stdout.decode() == "42.000001000 1000.000002000 42 42\n", done.stderr.decode()


@pytest.mark.requires("user-namespaces")
def test_threads_run_in_the_order_of_their_birth(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """One after the other, however long each of them takes."""
    path = bundle("./program", program_c=RACE)
    done = rtrace("replay", "--freeze", "--no-history", path)
    assert done.stdout == b"0 1 2 3 4 5 ", done.stderr.decode()


@pytest.mark.requires("user-namespaces")
def test_a_frozen_replay_ends_like_any(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """A status, a signal and a time that is up are told as without a freeze."""
    path = bundle("sh", "-c", "exit 7")
    assert rtrace("replay", "--freeze", "--no-history", path).returncode == 7
    killed = rtrace("replay", "--freeze", "--no-history", "--cmdline", "-c 'kill -9 $$'", path)
    assert killed.returncode == 137, killed.stderr.decode()
    late = rtrace("replay", "--freeze", "--no-history", "--timeout", "1", "--cmdline", "-c 'while :; do :; done'", path)
    assert late.returncode == 124, late.stderr.decode()


@pytest.mark.requires("user-namespaces")
def test_a_plain_user_freezes_as_root_does(plain_user: PlainUser) -> None:
    """In a namespace of one's own, and while one traces, calls are answered without any privilege."""
    script = "date +%N; head -c4 /dev/urandom | od -An -tx1; stat -c %Y fresh 2>/dev/null; : > fresh; ls -U"
    for frozen in ((), ("--freeze",)):
        arguments = ("trace", *frozen, "--overwrite", "--no-history", "sh", "-c", script)
        done = plain_user.run(plain_user.rtrace, *arguments)
        assert done.returncode == 0, done.stderr.decode()
    done = plain_user.run(plain_user.rtrace, "pack", "b.rpz")
    assert done.returncode == 0, done.stderr.decode()
    replays = [plain_user.run(plain_user.rtrace, "replay", "--freeze", "--no-history", "b.rpz") for _ in range(2)]
    assert [one.returncode for one in replays] == [0, 0], replays[0].stderr.decode()
    assert replays[0].stdout == replays[1].stdout
    assert replays[0].stdout.startswith(b"000001000\n")


@pytest.mark.requires("docker")
def test_an_engine_pins_what_variables_pin_and_says_so(rtrace: Rtrace, bundle: Callable[..., Path]) -> None:
    """In a container hashes agree, and a line tells what does not."""
    path = bundle("python3", "-c", "print(hash('a'))")
    replays = [rtrace("replay", "--freeze", "--no-history", "--unpacker", "docker", path) for _ in range(2)]
    assert [one.returncode for one in replays] == [0, 0], replays[0].stderr.decode()
    assert replays[0].stdout == replays[1].stdout
    assert b"pinned by environment variables; the clock" in replays[0].stderr
