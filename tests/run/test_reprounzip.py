"""Bundles that rtrace writes for ReproZip, in the hands of the real `reprounzip`: every command of every unpacker."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from observing import run_rtrace
from plain_user import UID, PlainUser, make_plain_user
from reprounzip_tools import Reprounzip, make_base_image, make_helpers

pytestmark = [pytest.mark.requires("reprounzip"), pytest.mark.xdist_group("reprounzip")]

SCRIPT = """\
#!/bin/sh
set -e
tr a-z A-Z <in.txt >out.txt
cat out.txt one two link/deep
printf '<%s>' "$GREETING" "$@" >words.txt
cat words.txt
echo
id -u
ls -ln folder | tail -n +2
"""
WORDS = ["it's", "a b", "été", 'say "$x" `y` \\', "new\nline", "", "~", "*"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "GREETING": "\"$HOME\" `id` 'hé' \\", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Study:
    """A bundle for ReproZip, and what its two runs printed. ``folder`` is where they ran, and is gone."""

    bundle: Path
    own: Path
    folder: Path
    printed: bytes


def trace_study(user: PlainUser, place: Path) -> Study:
    """Trace two runs of somebody without privileges, the second of which reads what the first one wrote."""
    folder = user.home / "study"  # without a space: `reprounzip docker upload` cannot deal with one
    (folder / "folder").mkdir(parents=True)
    (folder / "run.sh").write_text(SCRIPT)
    (folder / "run.sh").chmod(0o755)
    (folder / "in.txt").write_text("hello\n")
    (folder / "one").write_text("a file with two names\n")
    os.link(folder / "one", folder / "two")
    (folder / "real").mkdir()
    (folder / "real" / "deep").write_text("behind a symlink\n")
    (folder / "link").symlink_to(folder / "real")
    for name, size in (("large", 3_000_000), ("nothing", 0)):
        (folder / "folder" / name).write_bytes(b"x" * size)
        os.utime(folder / "folder" / name, (1, 981_173_106))
    user.give(folder)
    runs = (["./run.sh", *WORDS], ["--continue", "sh", "-c", "wc -c <out.txt >count.txt; cat count.txt"])
    printed = b""
    for arguments in runs:
        done = user.run(user.rtrace, "trace", "-q", *arguments, cwd=folder, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    for form, name in (("reprozip", "study.rpz"), ("rtrace", "own.rpz")):
        packed = run_rtrace("pack", "--format", form, place / name, cwd=folder)
        assert packed.returncode == 0, packed.stderr
    shutil.rmtree(folder)
    return Study(place / "study.rpz", place / "own.rpz", folder, printed)


@pytest.fixture(scope="module")
def study(everybodys_rtrace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The bundle that all tests unpack."""
    with make_plain_user(everybodys_rtrace) as user:
        yield trace_study(user, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def helpers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `reprounzip` would download."""
    return make_helpers(tmp_path_factory.mktemp("helpers"))


@pytest.fixture
def reprounzip(helpers: Path, tmp_path: Path) -> Reprounzip:
    """The tool, in a folder of its own."""
    (tmp_path / "new.txt").write_text("another input\n")
    return Reprounzip(tmp_path, helpers)


def changed(printed: bytes) -> bytes:
    """Return what the study prints after the upload of another input."""
    return printed.replace(b"HELLO\n", b"ANOTHER INPUT\n").replace(b"6\n", b"14\n")


def words() -> bytes:
    """Return what the first run writes into words.txt."""
    return "".join(f"<{word}>" for word in (ENVIRONMENT["GREETING"], *WORDS)).encode()


def test_study_prints_all_that_replays_may_get_wrong(study: Study) -> None:
    """The test's own experiment prints quoted words, its user, and the sizes of files that it never opened."""
    assert words() in study.printed
    assert f"\n{UID if os.geteuid() == 0 else os.getuid()}\n".encode() in study.printed
    assert b" 3000000 " in study.printed
    assert changed(study.printed).count(b"ANOTHER INPUT") == 1
    assert study.printed.endswith(b"\n6\n")


def test_info_tells_the_runs_and_names_the_extension(study: Study, reprounzip: Reprounzip) -> None:
    """`info` shows runs, exit codes, machine, names and packages, and that rtrace added something."""
    answer = json.loads(reprounzip.run("info", "--json", study.bundle))
    assert [run["id"] for run in answer["runs"]] == ["run1", "run2"]
    assert answer["runs"][0]["argv"] == ["./run.sh", *WORDS]
    assert answer["runs"][0]["environ"]["GREETING"] == ENVIRONMENT["GREETING"]
    assert [run["exitcode"] for run in answer["runs"]] == [0, 0]
    assert answer["inputs_outputs"]["in.txt"] == {
        "path": str(study.folder / "in.txt"),
        "read_runs": [0],
        "write_runs": [],
    }
    assert answer["extensions"] == ["rtrace"]
    assert answer["meta"]["packages"] > 0
    assert answer["meta"]["total_paths"] == answer["pack"]["total_paths"]
    assert {name for name, _ in answer["unpacker_status"]["0"]} >= {"chroot", "directory", "docker", "graph"}
    shown = reprounzip.run("-v", "-v", "info", study.bundle).decode()
    assert f"wd: {study.folder}" in shown
    assert "exitcode: 0" in shown


def test_showfiles_lists_inputs_and_outputs(study: Study, reprounzip: Reprounzip) -> None:
    """`showfiles` has the names of rtrace's manifest; what one run hands to the next is among the outputs."""
    lines = reprounzip.run("showfiles", study.bundle).decode().splitlines()
    split = lines.index("Output files:")
    assert "    in.txt" in lines[1:split]
    assert {"    out.txt", "    count.txt", "    words.txt"} <= set(lines[split:])
    assert b"count.txt" not in reprounzip.run("showfiles", study.bundle, "run1")


def test_graph_draws_both_runs(study: Study, reprounzip: Reprounzip, tmp_path: Path) -> None:
    """`graph` finds each run's processes under its name, with what they read and wrote, as JSON and for Graphviz."""
    reprounzip.run("graph", "--json", tmp_path / "graph.json", study.bundle)
    runs = json.loads((tmp_path / "graph.json").read_text())["runs"]
    assert [run["name"] for run in runs] == ["run1", "run2"]
    programs = [[process["argv"][0] for process in run["processes"]] for run in runs]
    assert programs[0][0] == "./run.sh"
    assert {"tr", "cat", "ls", "tail", "id"} <= set(programs[0])
    assert {"sh", "wc", "cat"} <= set(programs[1])
    (counting,) = (process for process in runs[1]["processes"] if process["argv"][0] == "wc")
    written = {path for run in runs for process in run["processes"] for path in process["writes"]}
    assert {str(study.folder / name) for name in ("out.txt", "words.txt", "count.txt")} == written
    assert str(study.folder / "out.txt") in [path for run in runs for p in run["processes"] for path in p["reads"]]
    assert counting["parent"] is not None
    for options in ([], ["--all-forks"], ["--packages", "package", "--processes", "run", "--otherfiles", "io"]):
        reprounzip.run("graph", *options, tmp_path / "graph.dot", study.bundle)
        assert (tmp_path / "graph.dot").read_text().startswith("digraph G {")
        (tmp_path / "graph.dot").unlink()


def test_directory_sets_up_runs_and_exchanges_files(study: Study, reprounzip: Reprounzip, tmp_path: Path) -> None:
    """`directory`: the same output, another one with another input, and the original again."""
    mine = study.printed.replace(f"\n{UID}\n".encode(), f"\n{os.getuid()}\n".encode())
    reprounzip.run("directory", "setup", study.bundle, "d")
    assert reprounzip.run("directory", "run", "d") == mine
    reprounzip.run("directory", "upload", "d", "new.txt:in.txt")
    assert reprounzip.run("directory", "run", "d") == changed(mine)
    assert reprounzip.run("directory", "download", "d", "count.txt:") == b"14\n"
    reprounzip.run("directory", "upload", "d", ":in.txt")
    assert reprounzip.run("directory", "run", "d", "run1") == mine.removesuffix(b"6\n")
    reprounzip.run("directory", "download", "d", "words.txt:w")
    assert (tmp_path / "w").read_bytes() == words()
    one, two = (tmp_path / "d/root" / str(study.folder / name)[1:] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_ino != two.stat().st_ino
    reprounzip.run("directory", "destroy", "d")
    assert not (tmp_path / "d").exists()


CHROOT = """\
set -e
reprounzip chroot setup "$1" c
reprounzip chroot run c
reprounzip chroot upload c new.txt:in.txt
reprounzip chroot run c run1
reprounzip chroot download c out.txt:
reprounzip chroot upload c :in.txt
reprounzip chroot run c 0
reprounzip chroot download c --all
reprounzip chroot destroy c
"""


@pytest.mark.requires("root")
def test_chroot_sets_up_runs_and_exchanges_files(study: Study, reprounzip: Reprounzip, tmp_path: Path) -> None:
    """`chroot`: by the original's user, with the same output; in a mount namespace that takes its mounts along."""
    in_private = ("unshare", "--mount", "--propagation", "private")
    done = reprounzip.start(*in_private, "sh", "-c", CHROOT, "sh", study.bundle)
    assert done.returncode == 0, done.stderr.decode()
    first = study.printed.removesuffix(b"6\n")
    another = changed(study.printed).removesuffix(b"14\n")
    assert done.stdout == study.printed + another + b"ANOTHER INPUT\n" + first
    assert (tmp_path / "words.txt").read_bytes() == words()
    assert not (tmp_path / "c").exists()


@pytest.fixture(scope="module")
def base_image() -> Iterator[str]:
    """An image to build on, as no registry is asked."""
    with make_base_image(f"rtrace-test-reprounzip:{os.getpid()}") as name:
        yield name


@pytest.mark.requires("docker")
def test_docker_sets_up_runs_and_exchanges_files(
    study: Study, reprounzip: Reprounzip, base_image: str, tmp_path: Path
) -> None:
    """`docker`: setup, run, upload, download, reset and destroy; what a container prints is what the original did."""
    reprounzip.run("docker", "setup", "--base-image", base_image, study.bundle, "k")
    try:
        assert reprounzip.run("docker", "run", "k").startswith(study.printed)
        reprounzip.run("docker", "upload", "k", "new.txt:in.txt")
        assert reprounzip.run("docker", "run", "k").startswith(changed(study.printed))
        reprounzip.run("docker", "download", "k", "out.txt:o", "words.txt:w")
        assert (tmp_path / "o").read_bytes() == b"ANOTHER INPUT\n"
        assert (tmp_path / "w").read_bytes() == words()
        reprounzip.run("docker", "upload", "k", ":in.txt")
        assert reprounzip.run("docker", "run", "k", "run1").startswith(study.printed.removesuffix(b"6\n"))
        reprounzip.run("docker", "reset", "k")
        assert reprounzip.run("docker", "run", "k", "0-1").startswith(study.printed)
    finally:
        reprounzip.run("docker", "destroy", "k")
    assert not (tmp_path / "k").exists()


def test_bytes_that_are_no_text_reach_the_program(reprounzip: Reprounzip, tmp_path: Path) -> None:
    """Names, arguments and variables that are not UTF-8 replay with `directory`, and rtrace says what may go wrong."""
    work = tmp_path / "work"
    work.mkdir()
    (work / os.fsdecode(b"latin \xe9\xff")).write_text("content\n")
    script = 'cat latin*; printf "%s %s" "$1" "$ODD" > out; cat out'
    odd = {**os.environb, b"ODD": b"\xfe'\n"}
    traced = run_rtrace("trace", "-q", "sh", "-c", script, "sh", b"\xff arg\xc3\xa9", cwd=work, env=odd)
    assert traced.returncode == 0, traced.stderr
    packed = run_rtrace("pack", "--format", "reprozip", tmp_path / "odd.rpz", cwd=work)
    assert b"not for ReproZip: arguments or variables of run1 are not UTF-8" in packed.stderr
    shutil.rmtree(work)
    reprounzip.run("directory", "setup", "odd.rpz", "d")
    assert reprounzip.run("directory", "run", "d") == traced.stdout
    assert reprounzip.run("directory", "download", "d", "out:") == b"\xff arg\xc3\xa9 \xfe'\n"
    reprounzip.run("info", "odd.rpz")
    reprounzip.run("graph", "g.dot", "odd.rpz")


def test_trace_has_the_schema_of_reprozip(study: Study, reprounzip: Reprounzip, tmp_path: Path) -> None:
    """The database goes on from run to run: one first process each, times that never go back, folders told."""
    reprounzip.start("tar", "-xf", study.bundle, "METADATA/trace.sqlite3")
    with closing(sqlite3.connect(tmp_path / "METADATA/trace.sqlite3")) as connection:
        firsts = connection.execute("SELECT run_id, id, exitcode FROM processes WHERE parent IS NULL").fetchall()
        assert [(run, code) for run, _, code in firsts] == [(0, 0), (1, 0)]
        for table in ("processes", "opened_files", "executed_files"):
            times = [time for (time,) in connection.execute(f"SELECT timestamp FROM {table} ORDER BY id")]  # noqa: S608
            assert times == sorted(times)
        late = connection.execute(
            "SELECT count(*) FROM opened_files JOIN processes ON processes.id = process"
            " WHERE opened_files.timestamp <= processes.timestamp OR opened_files.run_id <> processes.run_id"
        ).fetchone()
        assert late == (0,)
        modes = dict(connection.execute("SELECT name, max(mode) FROM opened_files WHERE run_id = 0 GROUP BY name"))
        assert modes[str(study.folder / "in.txt")] == 1
        assert modes[str(study.folder / "out.txt")] in {1, 2}
        assert modes[str(study.folder / "link")] == 24
        assert modes[str(study.folder)] >= 4
        folders = {name for (name,) in connection.execute("SELECT name FROM opened_files WHERE is_directory")}
        assert {str(study.folder), str(study.folder / "folder")} <= folders
        assert str(study.folder / "in.txt") not in folders
        executed = connection.execute("SELECT name, argv, workingdir FROM executed_files ORDER BY id").fetchone()
        assert executed[1].split("\0")[:2] == ["./run.sh", WORDS[0]]
        assert executed[2] == str(study.folder)
