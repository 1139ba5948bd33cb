"""A run keeps its results, its place and its files whatever a person calls it; a name that leads nowhere is refused."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from rtrace.manifest.reading.load import load
from rtrace.opening import open_bundle

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def work(tmp_path: Path, rtrace: Rtrace) -> Path:
    """A folder with a trace of two runs, of which the second one reads what the first one wrote."""
    work = tmp_path / "work"
    work.mkdir()
    for options, script in ((), "echo 1 > one; echo printed"), (("--continue",), "cat one > two"):
        assert rtrace("trace", "-q", *options, "--", "sh", "-c", script, cwd=work).returncode == 0
    return work


def edit(work: Path, *changes: tuple[str, str]) -> None:
    """Replace text in the manifest."""
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    manifest.write_text(text)


@pytest.mark.requires("user-namespaces")
def test_renamed_runs_keep_their_results(work: Path, rtrace: Rtrace) -> None:
    """Each is compared as before, the bundle's trace calls them alike, and a further one is packed behind them."""
    edit(work, ("id: run1", "id: fit"), ("[run1]", "[fit]"), ("as run1", "as fit"))
    edit(work, ("id: run2", "id: plot"), ("[run2]", "[plot]"))
    assert rtrace("trace", "-q", "--continue", "--", "sh", "-c", "cat two > three", cwd=work).returncode == 0
    bundle = work.parent / "bundle.rpz"
    packed = rtrace("pack", bundle, cwd=work)
    assert packed.returncode == 0, packed.stderr
    answer = json.loads(rtrace("verify", "--json", bundle).stdout)
    compared = [(line["run"], Path(line["path"]).name) for line in answer["lines"] if line["path"]]
    assert (answer["verdict"], compared) == ("same", [("fit", "one"), ("plot", "two"), ("run3", "three")])
    with open_bundle(bundle) as opened:
        opened.extract_trace(work / "trace.sqlite3")
    with closing(sqlite3.connect(work / "trace.sqlite3")) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY id")] == ["fit", "plot", "run3"]


@pytest.mark.requires("user-namespaces")
def test_run_written_by_hand_is_not_judged(work: Path, rtrace: Rtrace) -> None:
    """A run that was copied in the manifest is replayed, told when it is packed, and makes no verdict."""
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    start = text.index("  - id: run2")
    end = text.index("\n#", start)
    manifest.write_text(f"{text[:end]}{text[start:end].replace('id: run2', 'id: again')}{text[end:]}")
    bundle = work.parent / "bundle.rpz"
    packed = rtrace("pack", bundle, cwd=work)
    assert (packed.returncode, b"again is no run of the trace" in packed.stderr) == (0, True)
    verified = rtrace("verify", bundle)
    assert (verified.returncode, b"unknown    exit status of again: 0" in verified.stdout) == (3, True)


@pytest.mark.requires("user-namespaces")
def test_run_that_was_taken_out_has_no_results(work: Path, rtrace: Rtrace) -> None:
    """What is left is packed and judged, in the order of the manifest."""
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    start = text.index("  - id: run2")
    text = text[:start] + text[text.index("\n#", start) + 1 :]
    lines = [line for line in text.splitlines(keepends=True) if "[run2]" not in line]
    manifest.write_text("".join(lines))
    bundle = work.parent / "bundle.rpz"
    packed = rtrace("pack", bundle, cwd=work)
    assert packed.returncode == 0, packed.stderr
    verified = rtrace("verify", bundle)
    assert (verified.returncode, b"run2" in verified.stdout) == (0, False)


@pytest.mark.requires("user-namespaces")
def test_files_of_a_run_that_was_taken_out_are_missed(work: Path, rtrace: Rtrace) -> None:
    """A run that uses them is told when it is packed, and a replay without them is no verdict; included, it is one."""
    manifest = work / ".rtrace/manifest.yml"
    assert rtrace("trace", "-q", "--continue", "--", "sh", "-c", "cat two > three", cwd=work).returncode == 0
    text = manifest.read_text()
    text = text[: text.index("  - id: run2")] + text[text.index("  - id: run3") :]
    lines = [line for line in text.splitlines(keepends=True) if "run2]" not in line]
    manifest.write_text("".join(lines))
    without, included = work.parent / "without.rpz", work.parent / "included.rpz"
    packed = rtrace("pack", without, cwd=work)
    assert (packed.returncode, b"INCOMPLETE: run3 uses files that run2 of the trace wrote" in packed.stderr) == (
        0,
        True,
    )
    verified = rtrace("verify", without)
    assert (verified.returncode, verified.stdout.startswith(b"INCOMPLETE: run3 uses files")) == (3, True)
    packed = rtrace("pack", "--include", work / "two", included, cwd=work)
    assert (packed.returncode, b"INCOMPLETE" in packed.stderr) == (0, False)
    assert b"run3 uses files" in rtrace("info", included).stdout
    assert rtrace("verify", included).returncode == 0


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize(
    "change, second, how",
    [
        ("echo new > config", "cat config > out", "made"),
        ("echo other > one", "cat one > out", "changed"),
        ("rm one", "cat one > out; true", "removed"),
        ("rm one", "echo 3 > one", None),
        ("echo other > one", "rm one; echo 3 > one", None),
        ("mkdir .cache; echo new > .cache/x", "cat .cache/x > out", None),
        ("chmod 600 one", "cat one > out", None),
        ("true", "cat one > out", None),
    ],
)
def test_what_was_done_between_runs_is_told(
    tmp_path: Path, rtrace: Rtrace, change: str, second: str, how: str | None
) -> None:
    """A replay does without what somebody did between two runs: pack tells, and a difference is no verdict then."""
    work = tmp_path / "work"
    work.mkdir()
    first = "cat config .cache/x; echo 1 > one"
    assert rtrace("trace", "-q", "--", "sh", "-c", first, cwd=work).returncode == 0
    subprocess.run(["sh", "-c", change], check=True, cwd=work)
    assert rtrace("trace", "-q", "--continue", "--", "sh", "-c", second, cwd=work).returncode == 0
    bundle = tmp_path / "bundle.rpz"
    packed = rtrace("pack", bundle, cwd=work)
    told = f"was {how} between run1 and run2".encode()
    assert (packed.returncode, told in packed.stderr, b"INCOMPLETE" in packed.stderr) == (0, bool(how), bool(how))
    if how is not None:
        assert rtrace("verify", bundle).returncode == 3


def test_manifest_of_before_gets_what_runs_need(work: Path, rtrace: Rtrace) -> None:
    """A manifest that says of no run what it needs, as those of former versions, is completed from its trace."""
    edit(work, ("    needs: [run1]\n", ""))
    bundle = work.parent / "bundle.rpz"
    assert rtrace("pack", bundle, cwd=work).returncode == 0
    with open_bundle(bundle) as opened:
        assert [run.needs for run in opened.manifest.runs] == [(), ("run1",)]


@pytest.mark.parametrize(
    "changes, told",
    [
        ([("id: run1", "id: fit")], "this names the run 'run1', which is not among those above"),
        (
            [("id: run1", "id: fit"), ("as run1", "as fit")],
            "this names the run 'run1', which is not among the runs; did you mean run2?",
        ),
        ([("needs: [run1]", "needs: [run2]")], "this names the run 'run2', which is not above"),
        ([("needs: [run1]", "needs: [nobody]")], "this names the run 'nobody', which is not among the runs"),
    ],
)
def test_name_of_no_run_is_refused_where_it_stands(
    changes: list[tuple[str, str]], told: str, work: Path, rtrace: Rtrace
) -> None:
    """The sentence has line and column of the name, and no bundle is written."""
    edit(work, *changes)
    packed = rtrace("pack", cwd=work)
    lines = (work / ".rtrace/manifest.yml").read_text().splitlines()
    place, _, sentence = packed.stderr.decode().partition(": this")
    line, column = (int(word) for word in place.replace(",", "").split() if word.isdigit())
    name = told.split("'")[1]
    assert (packed.returncode, f"this{sentence}".startswith(told)) == (125, True), packed.stderr
    assert lines[line - 1][column - 1 :].removeprefix("as ").startswith(name)
    assert not (work / "bundle.rpz").exists()


@pytest.mark.requires("user-namespaces")
def test_run_brings_the_runs_that_it_needs(work: Path, rtrace: Rtrace) -> None:
    """A bundle's run is replayed after the one whose file it reads, which prints on standard error; a target tells."""
    assert [run.needs for run in load(work / ".rtrace/manifest.yml").runs] == [(), ("run1",)]
    bundle = work.parent / "bundle.rpz"
    assert rtrace("pack", bundle, cwd=work).returncode == 0
    done = rtrace("run", bundle, "run2")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"run1: replayed first" in done.stderr
    assert b"printed\n" in done.stderr
    target = work.parent / "target"
    assert rtrace("unpack", "chroot", bundle, target).returncode == 0
    alone = rtrace("run", target, "run2")
    assert (alone.returncode, b"uses files that run1 wrote" in alone.stderr) == (1, True)
    both = rtrace("run", target, "run1", "run2")
    assert (both.returncode, both.stdout, b"uses files" in both.stderr) == (0, b"printed\n", False)


def test_run_needs_what_it_uses_and_not_what_it_replaces(tmp_path: Path, rtrace: Rtrace) -> None:
    """Reading, appending, renaming and working in a folder need the run that made it; writing anew does not."""
    scripts = (
        "mkdir d; echo a > a; echo b > b",
        "echo new > a",
        "cat b",
        "echo more >> b",
        "mv a c",
        "echo x > d/x",
        "true",
    )
    for number, script in enumerate(scripts):
        options = ["--continue"] if number else []
        assert rtrace("trace", "-q", *options, "--", "sh", "-c", script).returncode == 0
    found = [run.needs for run in load(tmp_path / ".rtrace/manifest.yml").runs]
    assert found == [(), (), ("run1",), ("run1",), ("run2",), ("run1",), ()]
