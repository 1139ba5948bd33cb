"""A bundle that lacks what a run needs is not written unless somebody wants it so, and says then what it is."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from plain_user import PlainUser
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def work(tmp_path: Path, rtrace: Rtrace) -> Path:
    """A folder in which a run has read a file that is gone now."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "gone").write_text("content\n")
    (work / "kept").write_text("content\n")
    assert rtrace("trace", "-q", "--", "sh", "-c", "cat gone kept > out", cwd=work).returncode == 0
    (work / "gone").unlink()
    return work


@pytest.mark.parametrize("form", ["rtrace", "reprozip"])
def test_missing_input_is_refused(form: str, work: Path, rtrace: Rtrace) -> None:
    """The sentence names the file and the way out, the status is 1, and there is no bundle, nor a part of one."""
    before = sorted(path.name for path in work.parent.iterdir())
    packed = rtrace("pack", "--format", form, work.parent / "bundle.rpz", cwd=work)
    assert packed.returncode == 1
    assert f"{work}/gone is no longer there".encode() in packed.stderr
    assert b"--allow-missing" in packed.stderr
    assert packed.stderr.count(b"\n") == 1
    assert sorted(path.name for path in work.parent.iterdir()) == before


@pytest.mark.requires("user-namespaces")
def test_incomplete_bundle_says_so_wherever_it_is_used(work: Path, rtrace: Rtrace) -> None:
    """Packing, looking, checking, unpacking and replaying tell first what is missing; a difference stays one."""
    bundle, target = work.parent / "bundle.rpz", work.parent / "target"
    mark = f"INCOMPLETE: {work}/gone is no longer there".encode()
    packed = rtrace("pack", "--allow-missing", bundle, cwd=work)
    assert (packed.returncode, packed.stderr.count(mark)) == (0, 1), packed.stderr
    assert rtrace("info", bundle).stdout.startswith(mark)
    assert rtrace("verify", bundle).stdout.startswith(mark)
    assert rtrace("verify", bundle).returncode == 1
    checked = rtrace("check", bundle)
    assert (checked.returncode, mark in checked.stdout) == (0, True)
    for command in (("list", bundle), ("unpack", "chroot", bundle, target), ("run", bundle)):
        assert rtrace(*command).stderr.startswith(b"rtrace: " + mark), command
    for name in ("info", "verify", "check"):
        assert len(json.loads(rtrace(name, "--json", bundle).stdout)["incomplete"]) == 1


@pytest.mark.requires("user-namespaces")
def test_outputs_that_are_the_same_without_it_are_the_same(tmp_path: Path, rtrace: Rtrace) -> None:
    """What is missing and made no difference does not spoil the verdict, and is told all the same."""
    (tmp_path / "gone").write_text("content\n")
    assert rtrace("trace", "-q", "--", "sh", "-c", "cat gone > /dev/null 2>&1; echo done > out").returncode == 0
    (tmp_path / "gone").unlink()
    assert rtrace("pack", "--allow-missing", "bundle.rpz").returncode == 0
    verified = rtrace("verify", "bundle.rpz")
    assert (verified.returncode, verified.stdout.startswith(b"INCOMPLETE: ")) == (0, True)


def test_unreadable_input_is_refused(plain_user: PlainUser) -> None:
    """What a run has read and its user may not read any more is missing."""
    if not plain_user.uid:
        pytest.skip("needs a user whom permissions bind")
    (plain_user.home / "closed").write_text("content\n")
    plain_user.give(plain_user.home / "closed")
    assert plain_user.run(plain_user.rtrace, "trace", "-q", "cat", "closed").returncode == 0
    (plain_user.home / "closed").chmod(0)
    packed = plain_user.run(plain_user.rtrace, "pack")
    assert (packed.returncode, b"closed cannot be read" in packed.stderr) == (1, True), packed.stderr


def test_program_that_may_only_be_executed_makes_a_bundle_incomplete(plain_user: PlainUser) -> None:
    """Nobody can have its content, nor could the run: it is packed without, and told."""
    if not plain_user.uid:
        pytest.skip("needs a user whom permissions bind")
    program = plain_user.home / "true"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o111)
    plain_user.give(program)
    assert plain_user.run(plain_user.rtrace, "trace", "-q", "./true").returncode == 0
    packed = plain_user.run(plain_user.rtrace, "pack")
    assert (packed.returncode, b"true cannot be read" in packed.stderr) == (0, True), packed.stderr
    assert b"INCOMPLETE: " in packed.stderr


def test_content_that_was_changed_without_a_copy_is_missing(tmp_path: Path, rtrace: Rtrace) -> None:
    """What the run found is not to be had when no copy was made of it; what was only changed afterwards is told."""
    trace = TraceBuilder(tmp_path)
    trace.begin(workingdir=tmp_path, argv=b"true\0", binary=b"/bin/true")
    for name in ("mine", "later"):
        (tmp_path / name).write_text("before")
        trace.touch(tmp_path / name, Use.READ)
    trace.write(tmp_path / "mine", b"after!!", problem="it would have been larger than all copies may be")
    trace.finish()
    (tmp_path / "later").write_text("afterwards")
    packed = rtrace("pack")
    assert (packed.returncode, b"no copy of it could be made" in packed.stderr) == (1, True)
    assert b"later" not in packed.stderr
    allowed = rtrace("pack", "--allow-missing")
    assert (allowed.returncode, b"later changed after the trace" in allowed.stderr) == (0, True)


INTERRUPTED = """\
import os, signal, sys
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_interrupted_run_is_told(name: str, tmp_path: Path, rtrace: Rtrace) -> None:
    """Packing and looking tell that a run did not come to its end, and by which signal."""
    program = tmp_path / "program.py"
    program.write_text(INTERRUPTED)
    traced = rtrace("trace", "-q", sys.executable, "-S", program, name)
    assert traced.returncode == 128 + getattr(signal, name)
    told = f"INCOMPLETE: run1 was interrupted by {name}".encode()
    packed = rtrace("pack", "bundle.rpz")
    assert (packed.returncode, told in packed.stderr) == (0, True), packed.stderr
    assert rtrace("info", "bundle.rpz").stdout.startswith(told)


def test_run_whose_tracer_was_killed_is_told(tmp_path: Path, rtrace: Rtrace) -> None:
    """So is a run of which nobody saw the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "rtrace", "trace", "-q", "sh", "-c", "echo begun; read line"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"begun\n"
        tracer.kill()
    packed = rtrace("pack", "--allow-missing", "bundle.rpz")
    assert (packed.returncode, b"INCOMPLETE: run1 was cut short" in packed.stderr) == (0, True), packed.stderr
    assert rtrace("info", "bundle.rpz").stdout.startswith(b"INCOMPLETE: run1 was cut short")


def test_file_that_a_person_added_and_that_is_gone_is_told(tmp_path: Path, rtrace: Rtrace) -> None:
    """No run needs the content of what was replaced or listed only, so that the bundle is whole without."""
    trace = TraceBuilder(tmp_path)
    trace.begin(workingdir=tmp_path, argv=b"true\0", binary=b"/bin/true")
    (tmp_path / "gone").write_text("before")
    trace.touch(tmp_path / "gone")
    trace.finish()
    (tmp_path / "gone").unlink()
    packed = rtrace("pack", "--include", tmp_path / "gone", "bundle.rpz")
    assert (packed.returncode, b"gone is no longer there" in packed.stderr) == (0, True), packed.stderr
    assert b"INCOMPLETE" not in packed.stderr
    listed = rtrace("list", "bundle.rpz").stdout.decode().splitlines()
    assert [line.split()[0] for line in listed if line.endswith("/gone")] == ["placeholder"]
