"""Limits of a replay: each one ends it or holds it back, is told, and leaves nothing behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, run_python
from plain_user import PlainUser
from rtrace.limits import Limits
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.limits import groups
from rtrace_unpackers.limits.disk import measure_tree
from rtrace_unpackers.limits.groups import find_hierarchies
from rtrace_unpackers.limits.usage import measure_memory

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

MIB = 1 << 20
EAT = b"busybox dd if=/dev/zero bs=200M count=1 of=/dev/null 2>/dev/null; busybox sleep 0.5"
HOLD = b"exec busybox dd if=/dev/zero bs=200M of=/dev/null 2>/dev/null"  # for ever: who looks now and then sees it
FILL = b"for i in 1 2 3 4; do busybox sleep 1.5 & done; wait"
EATER = b"busybox dd if=/dev/zero bs=30M count=1 2>/dev/null | busybox tail -c 30000000 | busybox sleep 3"
EATERS = b"for i in 1 2 3 4 5 6; do %b & done; wait" % EATER
FORKS = b"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do busybox sleep 1 & done; wait"
SPIN = b"i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done & i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; wait"

Limited = Callable[[bytes, Limits], tuple[Outcome, bytes]]


@pytest.fixture(params=["groups", "no groups"])
def limited(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Replay a script within limits: with the control groups that this machine has, and without any."""
    if request.param == "no groups":
        monkeypatch.setattr(groups, "find_hierarchies", lambda *_: groups.Hierarchies())

    def replay(script: bytes, limits: Limits) -> tuple[Outcome, bytes]:
        run = make_run(script)
        bundle = BundleMaker(tmp_path / "made").write(run, name=f"{len(os.listdir(tmp_path / 'made'))}.rpz")
        target = UNPACKER.open(UNPACKER.unpack(bundle, tmp_path / "target").target)
        with (tmp_path / "out").open("w+b") as out, open(os.devnull, "rb") as null:
            outcome = target.run(run, streams=Streams(null.fileno(), out.fileno(), out.fileno()), limits=limits)
        target.destroy()
        return outcome, (tmp_path / "out").read_bytes()

    return replay


def list_groups() -> list[Path]:
    """Return the control groups that rtrace made and left."""
    own = Path("/proc/self/cgroup").read_text()
    hierarchies = find_hierarchies(own, Path("/proc/self/mountinfo").read_text())
    folders = {*hierarchies.by_controller.values(), *([hierarchies.unified] if hierarchies.unified else [])}
    return [path for folder in folders for path in folder.glob(f"rtrace-{os.getpid()}-*")]


def test_time_is_up(limited: Limited) -> None:
    """A program is asked to end with SIGTERM, and the outcome is that of timeout(1), whatever it makes of it."""
    outcome, printed = limited(
        b"trap 'echo asked; exit 0' TERM; while :; do busybox sleep 0.05; done", Limits(timeout=0.3)
    )
    assert (outcome.reached, outcome.exit_status, printed) == ("timeout", 124, b"asked\n")
    assert outcome.notes[0] == "it was ended after 0.3 s (--timeout)"
    assert list_groups() == []


def test_time_is_up_for_who_does_not_listen(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ignores SIGTERM, and a daemon that nobody knows of, are killed a little later."""
    monkeypatch.setattr("rtrace_unpackers.isolation.running.control.GRACE", 0.2)
    began = time.monotonic()
    outcome, _ = limited(
        b"trap '' TERM; busybox setsid sleep 1000 & while :; do busybox sleep 1; done", Limits(timeout=0.2)
    )
    assert outcome.exit_status == 124
    assert time.monotonic() - began < 60  # it would be 1000


def test_memory_is_limited(limited: Limited) -> None:
    """A process that uses more is ended, and the outcome says why."""
    outcome, _ = limited(EAT, Limits(memory=40 * MIB))
    assert (outcome.reached, outcome.exit_code) == ("memory", None)
    assert "more than 40.0 MiB of memory (--memory)" in outcome.notes[0]
    assert list_groups() == []


def test_memory_of_all_is_limited_together(limited: Limited) -> None:
    """Many processes that are each within the limit are ended when they are not together."""
    assert limited(EATERS, Limits(memory=100 * MIB))[0].reached == "memory"


def test_processes_are_limited(limited: Limited) -> None:
    """Further processes are refused, which a program finds out for itself."""
    outcome, printed = limited(FORKS, Limits(processes=5))
    assert (outcome.exit_code, b"fork" in printed) == (2, True)


def test_number_of_processes_is_told(limited: Limited) -> None:
    """That more were refused is told by control groups; without any it is told that the number was reached."""
    notes = (*limited(FORKS, Limits(processes=5))[0].notes, *limited(FILL, Limits(processes=5))[0].notes)
    assert any("(--pids)" in note for note in notes)


def test_output_is_limited(limited: Limited) -> None:
    """What may be printed arrives, to the byte, and then the program is ended."""
    outcome, printed = limited(b"busybox yes", Limits(output=100_001))
    assert (outcome.reached, len(printed)) == ("output", 100_001)
    assert limited(b"echo 12345", Limits(output=6)) == (Outcome("run1", 0, None), b"12345\n")


def test_output_is_shared_by_both_streams(tmp_path: Path) -> None:
    """What one stream has not used the other may: a limit of a few bytes is reached by neither before it is used up."""
    run = make_run(b"echo 1234; echo 123 >&2; busybox sleep 0.1; echo 12; echo 1 >&2")
    target = UNPACKER.open(UNPACKER.unpack(BundleMaker(tmp_path / "made").write(run), tmp_path / "target").target)
    with (tmp_path / "out").open("w+b") as out, (tmp_path / "err").open("w+b") as err:
        streams = Streams(os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())
        assert target.run(run, streams=streams, limits=Limits(output=14)) == Outcome("run1", 0, None)
        assert target.run(run, streams=streams, limits=Limits(output=13)).reached == "output"
        os.close(streams.stdin)
    target.destroy()


@pytest.mark.parametrize(
    "script",
    [
        b"busybox dd if=/dev/zero of=large bs=1M count=100 2>/dev/null",
        b"i=0; while :; do i=$((i+1)); busybox dd if=/dev/zero of=f$i bs=1M count=1 2>/dev/null; done",
    ],
)
def test_disk_is_limited(script: bytes, limited: Limited) -> None:
    """One large file, many small ones and one of holes alone end the replay that writes them."""
    outcome, _ = limited(script, Limits(disk=8 * MIB, timeout=60))
    assert outcome.reached == "disk"
    assert "8.0 MiB to the disk (--disk)" in outcome.notes[0]


def test_no_file_is_larger_than_the_disk(limited: Limited) -> None:
    """A file of nothing but holes counts by its size: who makes it larger fails."""
    _, printed = limited(b"busybox truncate -s 15T sparse || echo refused", Limits(disk=8 * MIB))
    assert printed.splitlines()[-1] == b"refused"


DEEP = b"i=0; while [ $i -lt 80 ]; do busybox mkdir d; cd d; i=$((i+1)); done"
SWAPPING = """\
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    mkdir("d", 0700); mkfifo("f", 0600); symlink("/fifo", "l"); mkfifo("/fifo", 0600);
    for (time_t end = time(0) + 2; time(0) < end;) {
        syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "f", 2);
        syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "l", 2);
    }
    puts("end");
}
"""


@pytest.mark.requires("gcc")
def test_measuring_waits_for_nobody(tmp_path: Path) -> None:
    """A folder that becomes a FIFO or a symlink while the disk is measured neither blocks nor leads astray."""
    (tmp_path / "swapping.c").write_text(SWAPPING)
    subprocess.run(["gcc", "-static", "-w", "-o", tmp_path / "swapping", tmp_path / "swapping.c"], check=True)
    maker = BundleMaker(tmp_path / "made")
    maker.directory(b"/", mode=0o777)
    maker.file(b"/bin/swapping", (tmp_path / "swapping").read_bytes(), mode=0o755)
    run = make_run(binary=b"/bin/swapping", argv=(b"swapping",))
    target = UNPACKER.open(UNPACKER.unpack(maker.write(run), tmp_path / "target").target)
    with open(os.devnull, "r+b") as null:
        streams = Streams(null.fileno(), null.fileno(), null.fileno())
        outcome = target.run(run, streams=streams, limits=Limits(disk=MIB, timeout=60))
    assert (outcome.exit_code, outcome.reached) == (0, None)
    target.destroy()


@pytest.mark.parametrize(
    "script",
    [
        b"exec 5> gone; rm gone; busybox dd if=/dev/zero bs=1M count=100 >&5 2>/dev/null; busybox sleep 5",
        b"%b; busybox dd if=/dev/zero of=x bs=7M count=1; busybox cp x y; busybox cp x z; busybox sleep 5" % DEEP,
    ],
)
def test_disk_is_measured_where_it_hides(script: bytes, limited: Limited) -> None:
    """A file without a name and files at a depth that is not walked through count as well."""
    assert limited(script, Limits(disk=8 * MIB, timeout=60))[0].reached == "disk"


def test_what_was_written_fast_is_told(limited: Limited) -> None:
    """A program that is over before anybody looked keeps its status, and is told of."""
    outcome, _ = limited(b"for i in 1 2 3; do busybox dd if=/dev/zero of=f$i bs=7M count=1; done", Limits(disk=8 * MIB))
    assert outcome.reached == "disk" or any("to the disk (--disk)" in note for note in outcome.notes)


def test_files_that_are_there_may_be_changed(tmp_path: Path) -> None:
    """A file that is larger than the limit for what is written may be written to in its place."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/large", b"x" * 9 * MIB)
    run = make_run(b"echo y | busybox dd of=large bs=1 seek=9000000 conv=notrunc 2>/dev/null")
    target = UNPACKER.open(UNPACKER.unpack(maker.write(run), tmp_path / "target").target)
    assert target.run(run, limits=Limits(disk=8 * MIB)) == Outcome("run1", 0, None)
    target.destroy()


def test_child_that_the_kernel_ended_is_the_programs_affair(limited: Limited) -> None:
    """A program that goes on when a process of it was ended for its memory keeps its own status; that is told."""
    outcome, printed = limited(
        b"busybox dd if=/dev/zero bs=200M count=1 of=/dev/null; sleep 0.5; echo on", Limits(memory=40 * MIB)
    )
    if outcome.reached is None and not any("control group" in note for note in outcome.notes):
        assert (outcome.exit_code, printed.splitlines()[-1]) == (0, b"on")
        assert any("--memory was reached" in note for note in outcome.notes)


def test_long_times_are_waited_for(limited: Limited) -> None:
    """A time limit of weeks is one."""
    assert limited(b"echo x", Limits(timeout=1e9)) == (Outcome("run1", 0, None), b"x\n")


def test_reader_who_never_reads_is_not_waited_for(tmp_path: Path) -> None:
    """A time limit ends rtrace, too, when nobody takes what the program prints."""
    bundle = BundleMaker(tmp_path / "made").write(make_run(b"busybox yes"))
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "rtrace", "run", "--timeout", "1", bundle], stdout=writer, stderr=subprocess.DEVNULL
    ) as process:
        assert process.wait(timeout=60) == 124
    os.close(reader)
    os.close(writer)


def test_processors_are_limited(limited: Limited) -> None:
    """With one processor, two loops take as long as one after the other; what cannot be had exactly is told."""
    outcome, _ = limited(SPIN, Limits(cpus=1))
    assert outcome.exit_code == 0
    assert all("control group" in note for note in outcome.notes)


def test_nothing_is_told_of_limits_that_were_kept(limited: Limited) -> None:
    """A program within its limits ends as it does without, and without a note where the machine has control groups."""
    outcome, printed = limited(b"echo x", Limits(timeout=60, output=100, disk=MIB * 100, processes=100))
    assert (outcome, printed) == (Outcome("run1", 0, None), b"x\n")


def write_bundle(folder: Path, script: bytes) -> Path:
    """Write a bundle whose original printed nothing and succeeded."""
    return BundleMaker(folder / "made").write(make_run(script))


@pytest.mark.parametrize(
    "options, status, limit",
    [(("--timeout", "0.2"), 124, "timeout"), (("--max-output", "10"), 3, "output")],
)
def test_a_limit_is_no_verdict(
    options: tuple[str, ...], status: int, limit: str, rtrace: Callable[..., object], tmp_path: Path
) -> None:
    """`verify` whose replay a limit ended says so and exits neither with 0 nor with 1."""
    bundle = write_bundle(tmp_path, b"while :; do echo 12345678; busybox sleep 0.05; done")
    done = rtrace("verify", "--json", *options, bundle)
    assert done.returncode == status  # type: ignore[attr-defined]
    told = json.loads(done.stdout)  # type: ignore[attr-defined]
    assert (told["verdict"], told["limit"], told["lines"][0]["verdict"]) == ("unknown", limit, "unknown")
    assert told["lines"][0]["reasons"] == ["limit"]
    assert b"rtrace: run1: it was ended" in done.stderr  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "option, value",
    [
        ("--timeout", "0"),
        ("--timeout", "x"),
        ("--timeout", "inf"),
        ("--memory", "0"),
        ("--memory", "-1"),
        ("--cpus", "0"),
        ("--pids", "0"),
        ("--pids", "1.5"),
        ("--max-output", "many"),
        ("--disk", "0"),
        ("--allow", "everything"),
    ],
)
def test_limits_that_are_none_are_wrong_usage(
    option: str, value: str, rtrace: Callable[..., object], tmp_path: Path
) -> None:
    """A limit that is no number, or in which nothing can run, is told with the option, before anything is unpacked."""
    done = rtrace("run", option, value, write_bundle(tmp_path, b"true"))
    assert done.returncode == 2  # type: ignore[attr-defined]
    assert option.encode() in done.stderr  # type: ignore[attr-defined]


RUN = """\
import sys
from pathlib import Path
from rtrace.limits import Limits
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
outcome = target.run(target.runs()[0], limits=eval(sys.argv[3]))
print(outcome.reached, *outcome.notes, sep="|")
target.destroy()
"""


@pytest.mark.parametrize(
    "limits, script, expected",
    [
        (
            "Limits(memory=40 << 20)",
            HOLD,
            "memory|it was ended for using more than 40.0 MiB of memory (--memory)|no control group is available",
        ),
        ("Limits(processes=5)", FILL, "None|it reached the limit of 5 processes (--pids)"),
        (
            "Limits(cpus=0.5)",
            b"true",
            "None|no control group is available here: it is given a whole number of",
        ),
    ],
)
def test_a_user_without_groups_has_limits_too(
    limits: str, script: bytes, expected: str, plain_user: PlainUser, tmp_path: Path
) -> None:
    """Where no control group is delegated, a plain user's replay is limited, too; what is less exact is told."""
    bundle = plain_user.home / "bundle.rpz"
    shutil.copyfile(write_bundle(tmp_path, script), bundle)
    plain_user.give(bundle)
    assert expected in run_python(plain_user, RUN, bundle, plain_user.home / "target", limits)


def test_groups_are_found_in_their_mounts() -> None:
    """Own groups are found where their hierarchies are mounted, wholly or from the group on, and of both versions."""
    own = "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/x\n0::/user.slice/s\n"
    mounts = (
        "30 20 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "31 20 0:27 /a /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory\n"
        "32 20 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    )
    found = find_hierarchies(own, mounts)
    assert found.unified == Path("/sys/fs/cgroup/unified/user.slice/s")
    assert found.unified_root == Path("/sys/fs/cgroup/unified")
    assert dict(found.by_controller) == {
        "memory": Path("/sys/fs/cgroup/mem ory/b"),
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct/x"),
        "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct/x"),
    }


@pytest.mark.requires("root")
def test_groups_of_version_2_are_made_and_removed() -> None:
    """In a hierarchy of version 2 a group is made where its controller can be enabled, adopts, and is removed."""
    own, mounts = Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
    hierarchies = find_hierarchies(own, mounts)
    root = hierarchies.unified_root
    controllers = (root / "cgroup.controllers").read_text().split() if root is not None else []
    if not controllers:
        pytest.skip("needs control groups of version 2 with a controller")
    enabled = frozenset(controllers[:1])
    group = groups.make_unified(hierarchies, enabled, f"rtrace-{os.getpid()}-test")
    assert group is not None
    (folder,) = set(group.folders.values())
    with subprocess.Popen(["sleep", "1000"]) as process:
        group.adopt(process.pid)
        assert (folder / "cgroup.procs").read_text().split() == [str(process.pid)]
        process.kill()
    group.remove()
    assert not folder.exists()
    assert groups.make_unified(hierarchies, frozenset({"no such controller"}), "rtrace-0-test") is None


@pytest.mark.requires("root")
def test_groups_of_a_killed_rtrace_are_removed() -> None:
    """The group of an rtrace that was killed goes with the next replay; that of one that lives stays."""
    hierarchies = find_hierarchies(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    folders = {*hierarchies.by_controller.values(), *([hierarchies.unified] if hierarchies.unified else [])}
    if not folders:
        pytest.skip("needs control groups")
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [folder / f"rtrace-{gone.pid}-test" for folder in folders]
    alive = [folder / f"rtrace-{os.getppid()}-test" for folder in folders]
    for folder in (*left, *alive):
        folder.mkdir()
    try:
        with groups.new_group(["pids"]):
            assert [folder for folder in left if folder.exists()] == []
            assert [folder for folder in alive if not folder.exists()] == []
    finally:
        for folder in alive:
            folder.rmdir()


def test_usage_is_measured(tmp_path: Path) -> None:
    """A file counts by the room it takes, a hard link once, and this process's memory is that of this process."""
    (tmp_path / "a").write_bytes(b"x" * MIB)
    os.link(tmp_path / "a", tmp_path / "b")
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 40)
    folder = os.open(tmp_path, os.O_RDONLY)
    assert MIB <= measure_tree(folder).size < 2 * MIB
    os.close(folder)
    assert 5 * MIB < measure_memory(os.getpid(), sys.maxsize) < 5000 * MIB
