"""Verification: a replay compared with the original run, a line for each thing that was compared."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle_making import BundleMaker, digest, make_run, wrote
from rtrace.bundle.entry import FileType, Result
from rtrace.errors import TargetError, UsageError
from rtrace.manifest.model import NamedFile, Output
from rtrace.operations.verify import verify_bundle
from rtrace.replay.protocol import Outcome, Unpacker
from rtrace.verify.verdicts import Line, Report
from rtrace_unpackers.chroot import UNPACKER as CHROOT
from rtrace_unpackers.chroot.target import ChrootTarget
from rtrace_unpackers.engines.docker import UNPACKER as DOCKER

Verify = Callable[..., Report]


@pytest.fixture(
    params=[
        pytest.param(CHROOT, id="chroot", marks=pytest.mark.requires("busybox", "user-namespaces")),
        pytest.param(DOCKER, id="docker", marks=pytest.mark.requires("busybox", "docker")),
    ]
)
def verify(request: pytest.FixtureRequest, tmp_path: Path) -> Verify:
    """Verify a bundle with one of our unpackers; nothing is left in the workspace."""

    def verify_with(bundle: Path, **choices: Any) -> Report:
        unpacker: Unpacker = request.param
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        report = verify_bundle(bundle, unpacker, workspace, quiet=True, **choices)
        assert list(workspace.iterdir()) == []
        return report

    return verify_with


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/in", b"in\n")
    maker.file(b"/work/old", b"old\n")
    return maker


def verdicts(report: Report) -> dict[tuple[str, bytes | None], str]:
    """Return the verdict on each thing that was compared."""
    return {(line.run, line.path): line.verdict for line in report.lines}


def test_faithful_replay_is_the_same(maker: BundleMaker, verify: Verify) -> None:
    """Creating, changing in place, appending, renaming over, linking and removing all verify, name by odd name."""
    script = (
        b"cat in > out\xff; echo more >> in; echo new > .tmp; mv .tmp old; ln -s in link; busybox mkdir d;"
        b"busybox mkfifo p; busybox chmod 600 out\xff; exit 3"
    )
    results = (
        wrote(b"/work/out\xff", b"in\n", mode=0o600),
        wrote(b"/work/in", b"in\nmore\n"),
        wrote(b"/work/old", b"new\n"),
        Result("run1", b"/work/.tmp", None),
        Result("run1", b"/work/link", FileType.SYMLINK, 0o777, target=b"in"),
        Result("run1", b"/work/d", FileType.DIRECTORY, 0o755),
        Result("run1", b"/work/p", FileType.FIFO, 0o644),
    )
    report = verify(maker.write(make_run(script, exit_code=3), results=results))
    assert report.same, report.lines
    assert len(report.lines) == len(results) + 1


def test_every_difference_has_its_line(maker: BundleMaker, verify: Verify) -> None:
    """Other content, a missing file, one that nobody expected, one still there and another exit status are all told.

    A file that the bundle holds as the run left it is missing, too: the replay did not write it.
    """
    results = (
        wrote(b"/work/out", b"other\n"),
        wrote(b"/work/absent", b""),
        Result("run1", b"/work/old", None),
        wrote(b"/work/in", b"in\n"),
    )
    report = verify(maker.write(make_run(b"echo outer > out; echo x > surprise; exit 1"), results=results))
    assert verdicts(report) == {
        ("run1", None): "different",
        ("run1", b"/work/out"): "different",
        ("run1", b"/work/absent"): "missing",
        ("run1", b"/work/old"): "extra",
        ("run1", b"/work/in"): "missing",
        ("run1", b"/work/surprise"): "extra",
    }


def test_each_run_is_compared_after_itself(maker: BundleMaker, verify: Verify) -> None:
    """A file that a later run rewrites or removes is compared as its own run left it; extra comes at the end."""
    runs = (
        make_run(b"echo 1 > out; echo 1 > passing; echo x > tmp"),
        make_run(b"echo 2 >> out; rm passing tmp", id="run2"),
    )
    results = (
        wrote(b"/work/out", b"1\n"),
        wrote(b"/work/passing", b"1\n"),
        wrote(b"/work/out", b"1\n2\n", run="run2"),
        Result("run2", b"/work/passing", None),
    )
    report = verify(maker.write(*runs, results=results))
    assert report.same, report.lines
    assert [line.run for line in report.lines] == ["run1"] * 3 + ["run2"] * 3


OUTPUT = NamedFile("out", b"/work/out", ("run1",))


def test_named_outputs_are_what_the_verdict_is_about(maker: BundleMaker, verify: Verify) -> None:
    """Where outputs are named, a difference in another file is told apart, and the verdict is the outputs' alone.

    Where none is, all that was written counts, but for the history of a repository.
    """
    script = b"echo content > out; busybox mkdir -p .git; echo odd > .git/index; echo odd > .git/new"
    results = (wrote(b"/work/out", b"content\n"), wrote(b"/work/.git/index", b"even\n"))
    bundle = maker.write(make_run(script), results=results, outputs=(OUTPUT,))
    report = verify(bundle)
    assert (report.verdict, report.exit_status) == ("same", 0)
    assert {line.path: (line.verdict, line.scope) for line in report.lines if line.path} == {
        b"/work/out": ("same", "output"),
        b"/work/.git/index": ("different", "other"),
        b"/work/.git/new": ("extra", "other"),
    }
    assert report.others == ("other      /work/.git/: 1 different, 1 extra",)
    assert report.summary == "all 2 results are identical; other files: 1 different, 1 extra"
    unnamed = verify(maker.write(make_run(script), results=results, name="unnamed.rpz"))
    assert (unnamed.verdict, unnamed.others) == ("same", report.others)
    elsewhere = make_run(script.replace(b".git", b".state"))
    results = (results[0], wrote(b"/work/.state/index", b"even\n"))
    unnamed = verify(maker.write(elsewhere, results=results, name="elsewhere.rpz"))
    assert (unnamed.verdict, unnamed.exit_status) == ("different", 1)


def test_what_is_ignored_has_no_part_in_the_verdict(maker: BundleMaker, verify: Verify) -> None:
    """A pattern of the manifest takes files out of the verdict, outputs too, its word a stream; both are counted."""
    results = (wrote(b"/work/out", b"other\n"), wrote(b"/work/fine", b"fine\n"))
    stdout = Output("pipe", 4, digest(b"once"))
    run = make_run(b"echo content > out; echo fine > fine; echo twice", stdout=stdout)
    named = (OUTPUT, NamedFile("fine", b"/work/fine", ("run1",)))
    ignore = (b"out", b"stdout")
    report = verify(maker.write(run, results=results, outputs=named, ignore=ignore))
    assert (report.verdict, report.summary) == ("same", "all 2 results are identical; 2 ignored")
    assert verify(maker.write(run, results=results, outputs=named, name="all.rpz")).verdict == "different"


def test_what_the_bundle_holds_is_the_same_only_if_the_replay_wrote_it(maker: BundleMaker, verify: Verify) -> None:
    """An output that was packed along does not speak for a replay that does nothing, only for one that writes it."""
    maker.file(b"/work/out", b"content\n")
    maker.symlink(b"/work/link", b"out")
    results = (wrote(b"/work/out", b"content\n"), Result("run1", b"/work/link", FileType.SYMLINK, 0o777, target=b"out"))
    idle = verify(maker.write(make_run(b"cat out"), results=results))
    assert verdicts(idle) == {
        ("run1", None): "same",
        ("run1", b"/work/out"): "missing",
        ("run1", b"/work/link"): "missing",
    }
    assert idle.exit_status == 1
    busy = make_run(b"cat out > copy; cat copy > out; rm copy; ln -sf out link")
    assert verify(maker.write(busy, results=results, name="busy.rpz")).same


def test_what_nobody_can_judge_is_no_verdict(maker: BundleMaker, verify: Verify) -> None:
    """Streams that were not recorded, digests that are not known, outputs that no run wrote: the status is 3."""
    run = make_run(b"echo content > out", stdout=Output("pipe"))
    report = verify(maker.write(run, results=(wrote(b"/work/out", b"content\n"),)))
    assert (report.verdict, report.exit_status) == ("unknown", 3)
    vague = replace(wrote(b"/work/out", b"content\n"), sha256=None)
    assert verify(maker.write(make_run(b"echo content > out"), results=(vague,), name="2.rpz")).exit_status == 3
    absent = NamedFile("absent", b"/work/absent", ("run1",))
    written = (wrote(b"/work/out", b"content\n"),)
    unwritten = verify(maker.write(make_run(b"echo content > out"), results=written, outputs=(absent,), name="3.rpz"))
    assert unwritten.exit_status == 3
    different = verify(maker.write(run, results=(wrote(b"/work/out", b"other\n"),), name="4.rpz"))
    assert (different.verdict, different.exit_status) == ("different", 1)


def test_interrupted_run_is_not_judged_by_its_end(maker: BundleMaker, verify: Verify) -> None:
    """That a replay ends by itself is no difference from a run that somebody interrupted, nor the same."""
    line = verify(maker.write(make_run(exit_code=None, signal=2))).lines[0]
    assert line == Line(
        "unknown", "run1", None, "0; the original run was interrupted by SIGINT", reasons=("interrupted",)
    )


def test_some_runs_are_verified_with_those_that_they_need(maker: BundleMaker, verify: Verify) -> None:
    """Of several runs one is replayed after the run whose file it reads, and the others are left alone."""
    runs = (
        make_run(b"echo 1 > one"),
        make_run(b"exit 1", id="run2"),
        make_run(b"cat one > two", id="run3", needs=("run1",)),
    )
    results = (wrote(b"/work/one", b"1\n"), wrote(b"/work/two", b"1\n", run="run3"))
    bundle = maker.write(*runs, results=results, outputs=(replace(OUTPUT, runs=("run2",)),))
    report = verify(bundle, names=("run3",))
    assert [line.run for line in report.lines] == ["run1", "run1", "run3", "run3"]
    assert report.same
    with pytest.raises(UsageError, match="has no run 'run9'; it has: run1, run2, run3"):
        verify(bundle, names=("run9",))


def test_program_that_cannot_start_is_a_difference(maker: BundleMaker, verify: Verify) -> None:
    """That a replay cannot even start its program is told as its exit status, 127, not as a failure of rtrace."""
    report = verify(maker.write(make_run(binary=b"/bin/absent")))
    assert report.lines == (Line("different", "run1", None, "127, was 0", reasons=("exit status",)),)


@pytest.mark.requires("busybox", "user-namespaces")
def test_replay_reads_nothing_and_spoils_no_output(
    maker: BundleMaker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A replayed program finds its input at its end, and prints to standard error, or nowhere."""
    bundle = maker.write(make_run(b"cat; echo printed; echo told >&2"))
    for quiet, expected in ((False, "printed\ntold\n"), (True, "")):
        (tmp_path / str(quiet)).mkdir()
        assert verify_bundle(bundle, CHROOT, tmp_path / str(quiet), quiet=quiet).same
        assert capfd.readouterr() == ("", expected)


@pytest.mark.requires("busybox")
def test_target_is_destroyed_when_the_replay_fails(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a machine refuses to replay, that is an error, and the throw-away target goes all the same."""

    def refuse(*_: object, **__: object) -> Outcome:
        raise TargetError("no namespaces here")

    monkeypatch.setattr(ChrootTarget, "run", refuse)
    (tmp_path / "workspace").mkdir()
    with pytest.raises(TargetError, match="no namespaces here"):
        verify_bundle(maker.write(make_run()), CHROOT, tmp_path / "workspace")
    assert list((tmp_path / "workspace").iterdir()) == []
