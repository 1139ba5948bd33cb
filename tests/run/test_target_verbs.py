"""What can be done with a target by its names: upload, download, reset, shell, and the list of all targets."""

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_making import USER, BundleMaker, make_run
from exchanging import INPUTS, OUTPUTS, PACKED, RUNS, look, look_closely, make_bundle
from rtrace.elsewhere.sources import NO_SOURCES
from rtrace.errors import BusyError, TargetError, UsageError
from rtrace.manifest.model import NamedFile
from rtrace.opening import open_bundle
from rtrace.operations.destroy import destroy
from rtrace.operations.exchange.bundles import find_bundle
from rtrace.operations.exchange.fetching import fetch_outputs, parse_wanted
from rtrace.operations.exchange.notes import noting
from rtrace.operations.exchange.replacing import replaced
from rtrace.operations.exchange.resetting import reset
from rtrace.operations.exchange.settling import open_settled, settled_notes
from rtrace.operations.exchange.uploading import parse_request, upload
from rtrace.operations.unpack import unpack
from rtrace.replay.protocol import Streams, Target
from rtrace.replay.uploads import BUNDLE_FILE, KEPT_FOLDER, UPLOADS_FILE
from terminals import at_terminal

pytestmark = pytest.mark.requires("busybox", "user-namespaces")
Command = Callable[..., "CompletedProcess[bytes]"]


def nobody(_sentence: str) -> None:
    """Hear nothing."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with inputs and outputs."""
    return make_bundle(tmp_path)


@pytest.fixture
def target(bundle: Path, tmp_path: Path) -> Iterator[Target]:
    """A chroot target of it."""
    unpack("chroot", bundle, tmp_path / "target")
    yield open_settled(tmp_path / "target", nobody)
    if (tmp_path / "target").exists():
        destroy(tmp_path / "target")


def replay(target: Target, name: str, status: int = 0) -> bytes:
    """Replay a run; return what it printed."""
    out = target.path.parent / "printed"
    with out.open("wb") as file, open(os.devnull, "rb") as null:
        outcome = target.run(
            next(run for run in target.runs() if run.id == name), streams=Streams(null.fileno(), file.fileno(), 2)
        )
    assert outcome.exit_status == status
    return out.read_bytes()


def put(target: Target, bundle: Path, *texts: str) -> None:
    """Upload, as the command does."""
    with open_bundle(bundle) as opened, settled_notes(target, nobody) as notes:
        upload(target, opened, notes, [parse_request(opened, text) for text in texts])


def test_states_follow_what_happens(target: Target, bundle: Path, tmp_path: Path) -> None:
    """A file is original, replaced, changed, missing, generated; and original again when it is brought back."""
    before = {"data.csv": ["original"], "second.csv": ["original"]}
    nothing = {"out.txt": ["missing"], "b_out.txt": ["missing"], "plot.png": ["missing"]}
    assert look(target, bundle) == {**before, **nothing}
    (tmp_path / "new").write_bytes(b"another\n")
    put(target, bundle, f"{tmp_path}/new:data.csv")
    replay(target, "copy")
    replay(target, "copy")
    made = {"out.txt": ["generated"], "b_out.txt": ["generated"], "plot.png": ["generated", "generated"]}
    assert look(target, bundle) == {"data.csv": ["replaced"], "second.csv": ["original"], **made}
    (first, *_) = look_closely(target, bundle)
    assert (first.size, first.upload and first.upload.source) == (8, f"{tmp_path}/new")
    replay(target, "spoil")
    assert look(target, bundle) == {"data.csv": ["changed"], "second.csv": ["missing"], **made}
    put(target, bundle, ":data.csv", ":second.csv")
    assert look(target, bundle) == {**before, **made}
    assert not (target.path / UPLOADS_FILE).exists()


def test_upload_keeps_owner_and_permissions_and_is_new(target: Target, bundle: Path, tmp_path: Path) -> None:
    """What is uploaded belongs to whom the packed file belonged, and its time is now."""
    (tmp_path / "new").write_bytes(b"another\n")
    (tmp_path / "new").chmod(0o777)
    began = int(time.time())
    put(target, bundle, f"{tmp_path}/new:data.csv")
    first, *rest = replay(target, "tell").split(b"\n", 1)
    *attributes, seconds = first.split()
    assert (attributes, rest) == ([b"%d" % USER, b"%d" % USER, b"640"], [b"another\n"])
    assert began <= int(seconds) <= time.time()
    put(target, bundle, ":data.csv")
    assert replay(target, "tell").split()[3] == b"1000000000"


def test_any_packed_file_and_an_output_can_be_replaced(target: Target, bundle: Path, tmp_path: Path) -> None:
    """A path names a file without a name; an output that no run made yet gets what a run would have made."""
    (tmp_path / "new").write_bytes(b"by path\n")
    put(target, bundle, f"{tmp_path}/new:/work/plain", f"{tmp_path}/new:out.txt")
    fetched = fetch_outputs(target, [("/work/plain", tmp_path / "one"), ("out.txt", tmp_path / "two")], None)
    assert [one.size for one in fetched] == [8, 8]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == b"by path\n"
    assert look(target, bundle)["out.txt"] == ["replaced"]


def test_requests_are_read_as_a_person_means_them(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last colon counts, what exists decides, and what can be read in two ways is said."""
    monkeypatch.chdir(tmp_path)
    for name in ("new", "a:b", "data.csv"):
        Path(name).write_bytes(b"x")
    Path("folder").mkdir()
    with open_bundle(bundle) as opened:
        request = parse_request(opened, "a:b:data.csv")
        assert (request.source, request.file.name) == (Path("a:b"), "data.csv")
        assert parse_request(opened, ":data.csv").is_restoring
        assert parse_request(opened, "-:data.csv").from_input
        for text, words in {
            "new": "says no name; write FILE:NAME (for example new:data.csv)",
            "data.csv": "says no file; write FILE:data.csv",
            "new:data.cvs": "there is no input data.cvs; did you mean data.csv",
            "new:": "a name is missing",
            "nothing:data.csv": "there is no file nothing",
            "folder:data.csv": "folder is a folder",
            "new:/no/where": "the bundle holds no file /no/where",
        }.items():
            with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
                parse_request(opened, text)
    odd = make_bundle(tmp_path / "odd", inputs=(*INPUTS, NamedFile("b:data.csv", b"/work/plain", ("copy",))))
    Path("a").write_bytes(b"x")
    with (
        open_bundle(odd) as opened,
        pytest.raises(UsageError, match=r"can be read as a:b for data.csv or a for b:"),
    ):
        parse_request(opened, "a:b:data.csv")


def test_downloads_are_read_as_a_person_means_them(bundle: Path) -> None:
    """A name alone is a file of its own name; nothing or a hyphen behind the colon is standard output."""
    with open_bundle(bundle) as opened:
        assert parse_wanted(opened, "out.txt") == ("out.txt", Path("out.txt"))
        assert parse_wanted(opened, "out.txt:x:y") == ("out.txt", Path("x:y"))
        assert parse_wanted(opened, "out.txt:") == parse_wanted(opened, "out.txt:-") == ("out.txt", Path("-"))
        assert parse_wanted(opened, "/work/made") == ("/work/made", Path("made"))
        with pytest.raises(UsageError, match=r"there is no output out; (did you mean|there are: )"):
            parse_wanted(opened, "out")


def test_downloads_are_whole_and_replace_nothing_unasked(target: Target, tmp_path: Path) -> None:
    """What exists stays, with --force a regular file is replaced, and a symlink never is."""
    replay(target, "copy")
    mask = os.umask(0o027)
    try:
        fetch_outputs(target, [("out.txt", tmp_path / "copy")], None)
    finally:
        os.umask(mask)
    assert (tmp_path / "copy").read_bytes() == PACKED
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o640
    (tmp_path / "copy").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("copy")
    for name, replace in (("copy", False), ("link", False), ("link", True)):
        with pytest.raises(UsageError, match="exists already"):
            fetch_outputs(target, [("out.txt", tmp_path / name)], None, replace=replace)
    assert (tmp_path / "copy").read_bytes() == b"mine"
    fetch_outputs(target, [("out.txt", tmp_path / "copy")], None, replace=True)
    assert (tmp_path / "copy").read_bytes() == PACKED
    (tmp_path / "folder").mkdir()
    fetch_outputs(target, [("out.txt", tmp_path / "folder")], None)
    assert (tmp_path / "folder" / "out.txt").read_bytes() == PACKED
    assert not list(tmp_path.glob("*incomplete*"))


def test_all_outputs_come_by_their_names(target: Target, tmp_path: Path) -> None:
    """--all: files whose last names are the same have names of their own, one with a pattern has a folder."""
    missing: list[str] = []
    assert fetch_outputs(target, [], tmp_path / "all", warn=missing.append) == ()
    assert len(missing) == len(OUTPUTS)
    replay(target, "copy")
    replay(target, "copy")
    fetch_outputs(target, [], tmp_path / "all")
    assert (tmp_path / "all/out.txt").read_bytes() == PACKED
    assert (tmp_path / "all/b_out.txt").read_bytes() == b"y\n"
    assert len(list((tmp_path / "all/plot.png").glob("plot-*.png"))) == 2
    with pytest.raises(UsageError, match="exists already"):
        fetch_outputs(target, [], tmp_path / "all")
    with pytest.raises(UsageError, match="name a folder"):
        fetch_outputs(target, [("plot.png", Path("-"))], None)
    assert len(fetch_outputs(target, [("plot.png", tmp_path / "plots")], None)) == 2
    assert len(list((tmp_path / "plots").iterdir())) == 2


def test_names_of_a_hostile_bundle_lead_nowhere(tmp_path: Path) -> None:
    """An output that calls itself a path of this machine is not written there."""
    name = str(tmp_path / "stolen")
    hostile = make_bundle(tmp_path, outputs=(NamedFile(f"..{name}", b"/work/data.csv", ("copy",)),))
    unpack("chroot", hostile, tmp_path / "target")
    try:
        target = open_settled(tmp_path / "target", nobody)
        with pytest.raises(UsageError, match="has no name for a file"):
            fetch_outputs(target, [], tmp_path / "all")
        replay(target, "spoil")
        with pytest.raises(TargetError, match="has no /work/evil"):
            fetch_outputs(target, [("/work/evil", tmp_path / "passwd")], None)
    finally:
        destroy(tmp_path / "target")
    assert not (tmp_path / "passwd").exists()
    assert not Path(name).exists()


def test_reset_brings_back_everything(target: Target, bundle: Path, tmp_path: Path) -> None:
    """Uploads, outputs and damage are gone; the bundle comes from the target, or is named when it is gone there."""
    packed = look(target, bundle)
    (tmp_path / "new").write_bytes(b"another\n")
    for _ in range(2):
        put(target, bundle, f"{tmp_path}/new:data.csv")
        replay(target, "copy")
        replay(target, "spoil")
        assert look(target, bundle) != packed
        reset(target.path, None, NO_SOURCES, nobody)
        assert look(target, bundle) == packed
        assert not (target.path / UPLOADS_FILE).exists()
    (target.path / BUNDLE_FILE).unlink()
    with pytest.raises(TargetError, match="name it with --bundle FILE"):
        reset(target.path, None, NO_SOURCES, nobody)
    other = make_bundle(tmp_path / "other", RUNS["copy"])
    with pytest.raises(TargetError, match=r"is not the bundle that .* was made of"):
        reset(target.path, other, NO_SOURCES, nobody)
    replay(target, "spoil")
    reset(target.path, bundle, NO_SOURCES, nobody)
    assert look(target, bundle) == packed


def test_bundle_is_kept_as_another_name_of_the_file(target: Target, bundle: Path) -> None:
    """Keeping the bundle costs no room on the same file system, and destroying the target leaves it alone."""
    assert (target.path / BUNDLE_FILE).samefile(bundle)
    assert find_bundle(target.path, None) == target.path / BUNDLE_FILE
    destroy(target.path)
    assert bundle.stat().st_nlink == 1


def test_half_a_bundle_is_removed_by_the_next_command(target: Target, rtrace: Command) -> None:
    """What is left of a copy that was killed goes, which is said; who still copies is left alone."""
    left = target.path / f"{BUNDLE_FILE}.new"
    left.write_bytes(b"half")
    said: list[str] = []
    open_settled(target.path, said.append)
    assert (left.exists(), len(said), "unpacking was killed" in said[0]) == (False, 1, True)
    assert b"killed" not in rtrace("upload", target.path).stderr


def test_inputs_are_replaced_for_one_replay(target: Target, bundle: Path, tmp_path: Path) -> None:
    """What was there comes back whatever ends the replay: content, time and state."""
    for name, content in (("new", b"for once\n"), ("kept", b"to stay\n")):
        (tmp_path / name).write_bytes(content)
    put(target, bundle, f"{tmp_path}/kept:second.csv")
    before, states = replay(target, "tell"), look(target, bundle)
    given = [("data.csv", tmp_path / "new"), ("second.csv", tmp_path / "new")]
    with replaced(target, bundle, given, throw_away=False, say=nobody, warn=nobody):
        assert replay(target, "fail", status=3) == b"for once\n"
        replay(target, "spoil")
    assert (replay(target, "tell"), look(target, bundle)) == (before, states)
    with pytest.raises(ZeroDivisionError), replaced(target, bundle, given, throw_away=False, say=nobody, warn=nobody):
        raise ZeroDivisionError
    assert (replay(target, "tell"), look(target, bundle)) == (before, states)
    assert os.listdir(target.path / KEPT_FOLDER) == ["rtrace.lock"]
    with replaced(target, bundle, given, throw_away=True, say=nobody, warn=nobody):
        pass
    assert replay(target, "fail", status=3) == b"for once\n"


def test_nothing_can_be_put_back_where_nothing_was(target: Target, bundle: Path, tmp_path: Path) -> None:
    """An input that a run had removed stays where it was put for a replay, and that is said."""
    (tmp_path / "new").write_bytes(b"for once\n")
    replay(target, "spoil")
    said: list[str] = []
    with replaced(target, bundle, [("second.csv", tmp_path / "new")], throw_away=False, say=nobody, warn=said.append):
        pass
    assert len(said) == 1
    assert "second.csv was not in" in said[0]


KILLED = """\
import os, signal, sys
from pathlib import Path
from rtrace.operations.exchange.replacing import replaced
from rtrace.replay.registry import open_target
say = lambda sentence: None
target = open_target(Path(sys.argv[1]))
with replaced(target, Path(sys.argv[2]), [("data.csv", Path(sys.argv[3]))], throw_away=False, say=say, warn=say):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_replay_is_put_right_by_the_next_command(target: Target, bundle: Path, tmp_path: Path) -> None:
    """After a kill -9 in the midst of a replay the input is back with the next command, which says so."""
    (tmp_path / "new").write_bytes(b"for once\n")
    before = replay(target, "tell")
    killed = subprocess.run([sys.executable, "-c", KILLED, target.path, bundle, tmp_path / "new"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert replay(target, "fail", status=3) == b"for once\n"
    said: list[str] = []
    open_settled(target.path, said.append)
    assert ["is put back now" in sentence for sentence in said] == [True]
    assert replay(target, "tell") == before
    said.clear()
    open_settled(target.path, said.append)
    assert said == []


def test_two_do_not_exchange_files_at_a_time(target: Target, bundle: Path, tmp_path: Path, rtrace: Command) -> None:
    """Who comes second gets the sentence of a target in use, and nothing is changed."""
    (tmp_path / "new").write_bytes(b"another\n")
    with noting(target.path):
        done = rtrace("upload", target.path, f"{tmp_path}/new:data.csv")
        assert (done.returncode, b"is in use by process" in done.stderr) == (125, True)
    with open(target.path / "rtrace.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for verb in (("upload", f"{tmp_path}/new:data.csv"), ("reset",), ("download",), ("shell",)):
            done = rtrace(verb[0], target.path, *verb[1:])
            assert (done.returncode, b"is in use by" in done.stderr) == (125, True), verb
    assert look(target, bundle)["data.csv"] == ["original"]
    with pytest.raises(BusyError), noting(target.path), noting(target.path):
        pass


def test_strange_notes_are_refused_in_a_sentence(target: Target, rtrace: Command) -> None:
    """What a stranger wrote into a target's notes is named, and nothing is done."""
    (target.path / UPLOADS_FILE).write_bytes(b"[" * 100_000)
    done = rtrace("upload", target.path)
    assert (done.returncode, b"Traceback" in done.stderr) == (125, False)
    assert b"rtrace-uploads.json cannot be read; remove it" in done.stderr


@pytest.mark.requires("root")
def test_full_disk_leaves_the_old_state(bundle: Path, tmp_path: Path, rtrace: Command) -> None:
    """Where there is no room for an upload or a reset, all is as it was."""
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=7m,mode=700", "small", place], check=True)
    try:
        assert rtrace("unpack", "chroot", bundle, place / "target").returncode == 0
        (tmp_path / "large").write_bytes(os.urandom(8 << 20))
        target = open_settled(place / "target", nobody)
        assert rtrace("replay", "--no-history", place / "target", "copy").returncode == 0
        before, names = look(target, bundle), sorted(os.listdir(place / "target"))
        done = rtrace("upload", place / "target", f"{tmp_path}/large:data.csv")
        assert (done.returncode, b"No space left on device; nothing was changed" in done.stderr) == (125, True)
        (place / "filler").write_bytes(bytes(os.statvfs(place).f_bavail * 4096 - 8192))
        done = rtrace("reset", place / "target")
        assert (done.returncode, b"are free; unpack it elsewhere" in done.stderr) == (125, True)
        assert (look(target, bundle), sorted({*names, KEPT_FOLDER})) == (before, sorted(os.listdir(place / "target")))
        (place / "filler").unlink()
        destroy(place / "target")
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_shell_is_the_runs(target: Target, rtrace: Command) -> None:
    """A command runs as the run's user, in its folder, with its environment, without a network; its status is told."""
    words = "id -u; pwd; busybox env; ls /sys/class/net; echo seen > /work/by-shell; exit 7"
    done = rtrace("shell", target.path, "tell", "--", "sh", "-c", words)
    lines = done.stdout.decode().split("\n")
    assert (done.returncode, lines[:2]) == (7, [str(USER), "/work"])
    assert {"PATH=/bin", "HOME=/work"} <= set(lines)
    assert lines[-2] == "lo"
    assert rtrace("shell", target.path, "--", "cat", "by-shell").stdout == b"seen\n"
    missing = rtrace("shell", target.path, "--", "nothing")
    assert (missing.returncode, b"has no program nothing" in missing.stderr) == (127, True)
    unknown = rtrace("shell", target.path, "other")
    assert (unknown.returncode, b"has no run 'other'; it has: copy" in unknown.stderr) == (2, True)
    answer = json.loads(rtrace("shell", "--json", target.path, "--", "sh", "-c", "exit 9").stderr.splitlines()[-1])
    assert (answer["exit_status"], answer["run"]) == (9, "copy")


def test_person_looks_around_at_a_terminal(target: Target) -> None:
    """A shell has a prompt and a terminal, and ends with the status that is typed."""
    with at_terminal(sys.executable, "-m", "rtrace", "shell", target.path, cwd=target.path.parent) as person:
        person.wait_for(b"$ ")
        person.type(b"echo me-$((20 + 3)); busybox tty; ls\n")
        person.wait_for(b"me-23\r\n")
        person.wait_for(b"/dev/")
        person.wait_for(b"data.csv")
        person.type(b"exit 5\n")
        assert person.leave() == 5


def test_target_without_a_shell_gets_one(tmp_path: Path, rtrace: Command) -> None:
    """A bundle without a shell says so; --with-shell adds one that is there after a reset, too."""
    maker = BundleMaker(tmp_path / "made", runnable=False)
    busybox = shutil.which("busybox")
    assert busybox
    maker.file(b"/work/tool", Path(busybox).read_bytes(), mode=0o755)
    maker.write(make_run(binary=b"/work/tool", argv=(b"true",)))
    assert rtrace("unpack", "chroot", "made/bundle.rpz", "bare").returncode == 0
    done = rtrace("shell", "bare")
    assert (done.returncode, b"has no shell; `rtrace unpack --with-shell` adds one" in done.stderr) == (125, True)
    done = rtrace("unpack", "--with-shell", "chroot", "made/bundle.rpz", "target")
    assert (done.returncode, b"added a shell, /.rtrace/busybox" in done.stderr) == (0, True)
    for verb in ("reset", "reset"):
        done = subprocess.run(
            [sys.executable, "-m", "rtrace", "shell", tmp_path / "target"],
            input=b"id -u; ls /; exit 4\n",
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout.split()[0], b"work" in done.stdout) == (4, b"%d" % USER, True)
        assert rtrace(verb, "target").returncode == 0
    for name in ("bare", "target"):
        assert rtrace("destroy", name).returncode == 0


def test_targets_are_listed_with_their_state(
    bundle: Path, tmp_path: Path, rtrace: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was unpacked is known, and what is damaged; what is gone, or is another target, is told once."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def ask() -> tuple[dict[str, str], list[str]]:
        done = rtrace("targets", "--json")
        answer = json.loads(done.stdout)
        return {Path(one["path"]).name: one["state"] for one in answer["targets"]}, answer["forgotten"]

    other = make_bundle(tmp_path / "other", RUNS["copy"])
    assert ask() == ({}, [])
    for name in ("one", "two", "three", "four"):
        assert rtrace("unpack", "chroot", bundle, name).returncode == 0
    assert ask() == (dict.fromkeys(("one", "two", "three", "four"), "whole"), [])
    (tmp_path / "two").rename(tmp_path / "moved")
    (tmp_path / "three" / "rtrace-target.json").write_text("{")
    (tmp_path / "four").rename(tmp_path / "five")
    unpack("chroot", other, tmp_path / "six")
    (tmp_path / "six").rename(tmp_path / "four")
    states, forgotten = ask()
    assert states == {"one": "whole", "three": "damaged"}
    assert [sentence.split()[0].rpartition("/")[2] for sentence in forgotten] == ["four", "six", "two"]
    (register,) = (tmp_path / "state").glob("rtrace/targets")
    (register / f"{'0' * 32}.json").write_text('{"path": "/etc"}')
    states, forgotten = ask()
    assert ("cannot be read" in forgotten[0], len(forgotten)) == (True, 1)
    for name in ("one", "moved", "five", "four"):
        assert rtrace("destroy", name).returncode == 0
    assert ask()[0] == {"three": "damaged"}


def test_register_that_cannot_be_written_costs_nothing(bundle: Path, tmp_path: Path, rtrace: Command) -> None:
    """Without a state folder a bundle is unpacked all the same."""
    (tmp_path / "file").write_text("")
    assert rtrace("unpack", "chroot", bundle, "target", env={"XDG_STATE_HOME": str(tmp_path / "file")}).returncode == 0
    assert rtrace("destroy", "target").returncode == 0
