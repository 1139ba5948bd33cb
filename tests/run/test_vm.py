"""Replays in machines of their own, with a kernel of their own, emulated by qemu."""

import hashlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_making import TIME, USER, BundleMaker, make_run, wrote
from emulators import need_machine_kernel
from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError
from rtrace.limits import DEFAULT_LIMITS
from rtrace.replay.protocol import Streams
from rtrace_unpackers.vm import UNPACKER
from rtrace_unpackers.vm.target import VmTarget
from waiting import wait_until

pytestmark = pytest.mark.requires("busybox", "qemu-system-x86_64", "qemu-img", "mke2fs")

ODD = b"/work/it's $(echo odd) `id`\n\xff;#{x}"
"""A name that means something to shells."""


@pytest.fixture(autouse=True)
def _has_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulate machines, where a kernel is installed."""
    monkeypatch.setenv("RTRACE_VM_ACCELERATOR", "tcg")
    need_machine_kernel()


def run_rtrace(
    folder: Path, *words: str | Path, given: bytes = b"", timeout: float = 300
) -> subprocess.CompletedProcess[bytes]:
    """Run rtrace with a standard input."""
    return subprocess.run(
        [sys.executable, "-m", "rtrace", *words],
        cwd=folder,
        input=given,
        capture_output=True,
        check=False,
        timeout=timeout,
    )


def test_a_run_is_replayed_in_a_machine_and_its_files_are_exchanged(tmp_path: Path) -> None:
    """Words, ids, environment, streams and status are exact; what it wrote is read, replaced and forgotten again."""
    content = bytes(range(256)) * 4000
    script = (
        b'cat; echo "$0" >&2; id -u >&2; uname -n >&2; umask >&2; ls -l /proc/net/dev >/dev/null && cat fixed >&2; '
        b'printf %s "$ODD" >made; cat "$ODD" >&2; exit 7'
    )
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/fixed", b"packed\n")
    maker.file(ODD, b"odd content\n")
    maker.symlink(b"/work/way", b"/")
    maker.add(Entry(b"/work/later", FileType.REGULAR, 0o644, USER, USER, TIME, 7, link=b"/work/fixed"))
    run = make_run(
        script,
        argv=(b"sh", b"-c", script, b"zero'\n\xfe"),
        environ=((b"PATH", b"/bin"), (b"ODD", ODD)),
        umask=0o123,
        hostname="it's`odd",
        exit_code=7,
    )
    bundle = maker.write(run, results=(wrote(b"/work/made", ODD),))
    unpacked = run_rtrace(tmp_path, "unpack", "vm", bundle, "target")
    assert unpacked.returncode == 0, unpacked.stderr
    assert not (tmp_path / "target" / "rootfs.tar").exists()

    replayed = run_rtrace(tmp_path, "replay", "target", given=content)
    assert replayed.returncode == 7, replayed.stderr
    assert hashlib.sha256(replayed.stdout).digest() == hashlib.sha256(content).digest()
    expected = b"zero'\n\xfe\n%d\nit's`odd\n0123\npacked\nodd content\n" % USER
    assert replayed.stderr.endswith(expected), replayed.stderr

    target = UNPACKER.open(tmp_path / "target")
    found = target.inspect((b"/work/made", b"/work/later", ODD), ())
    assert found.found[b"/work/made"].sha256 == hashlib.sha256(ODD).hexdigest()
    assert found.found[b"/work/made"].mode == 0o644
    assert found.found[b"/work/later"].sha256 == hashlib.sha256(b"packed\n").hexdigest()
    assert found.found[ODD].sha256 == hashlib.sha256(b"odd content\n").hexdigest()
    assert not any(path.startswith((b"/.rtrace", b"/lost+found")) for path in found.extra)

    other = Entry(ODD, FileType.REGULAR, 0o640, USER, USER, TIME, 6)
    target.put(other, io.BytesIO(b"other\n"))
    with pytest.raises(TargetError, match="/work/way is a symbolic link or no folder"):
        target.put(other._replace(path=b"/work/way/made"), io.BytesIO(b"other\n"))
    assert fetch(target, b"/work/way" + ODD) == b"other\n"
    target.reset(bundle)
    assert fetch(target, ODD) == b"odd content\n"
    with pytest.raises(FileNotFoundError):
        fetch(target, b"/work/made")
    target.destroy()
    assert not (tmp_path / "target").exists()


def fetch(target: VmTarget, path: bytes) -> bytes:
    """Return the content of a file of a target."""
    content = io.BytesIO()
    target.fetch(path, content)
    return content.getvalue()


def test_a_machine_ends_with_rtrace(tmp_path: Path) -> None:
    """A kill -9 leaves no qemu, and the next command removes what was half made."""
    bundle = BundleMaker(tmp_path / "made").write(make_run(b"echo never"))
    words = [sys.executable, "-m", "rtrace", "unpack", "vm", str(bundle), "target"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: list_machines(process.pid) != [])
        machines = list_machines(process.pid)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(is_running(machine) for machine in machines))
    assert process.returncode == -signal.SIGKILL
    assert any(name.startswith(".rtrace-") for name in os.listdir(tmp_path))
    other = run_rtrace(tmp_path, "unpack", "chroot", bundle, "other")
    assert other.returncode == 0, other.stderr
    assert not any(name.startswith(".rtrace-") for name in os.listdir(tmp_path))


def list_machines(parent: int) -> list[int]:
    """Return the processes of qemu that a process started."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in children if b"qemu" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]]


def is_running(process: int) -> bool:
    """Whether a process runs."""
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


FILLING = {  # what is run, under which limits, and what is printed where none of them ends it
    "memory": (b"busybox tail /dev/zero; echo ended with $?", DEFAULT_LIMITS, b"ended with 137"),
    "processes": (
        b"n=0; while [ $n -lt 60 ]; do busybox sleep 1 & n=$((n+1)); done; echo all",
        replace(DEFAULT_LIMITS, processes=12),
        b"can't fork",
    ),
    "disk": (
        b"busybox dd if=/dev/zero of=big bs=1M count=400; echo all",
        replace(DEFAULT_LIMITS, disk=20 << 20),
        b"no words",
    ),
}


@pytest.mark.parametrize("what", FILLING if os.environ.get("RTRACE_EVERYWHERE") == "all" else ["disk"])
def test_what_fills_a_machine_fills_nothing_else(what: str, tmp_path: Path) -> None:
    """Memory, processes and disk are those of the machine, or limited."""
    script, limits, expected = FILLING[what]
    run = make_run(script)
    target = UNPACKER.open(UNPACKER.unpack(BundleMaker(tmp_path / "made").write(run), tmp_path / "target").target)
    with (tmp_path / "printed").open("w+b") as printed, open(os.devnull, "rb") as null:
        streams = Streams(null.fileno(), printed.fileno(), printed.fileno())
        outcome = target.run(run, streams=streams, limits=limits)
        printed.seek(0)
        said = printed.read()
    taken = sum(path.stat().st_blocks * 512 for path in (tmp_path / "target").iterdir())
    target.destroy()
    assert expected in said or outcome.reached == what, (outcome, said)
    assert b"all" not in said
    assert taken < 200 << 20
