"""What killed processes leave is found by its lock, removed by the next command or `rtrace doctor`, and told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from killed_tracers import ADD_RUN, count_runs, die
from observing import run_rtrace
from open_folders import opened
from plain_user import PlainUser
from rtrace.errors import BusyError
from rtrace.files.locks import LOCK_FILE, lock_folder
from rtrace.operations import doctor
from rtrace.operations.machine.leftovers import clean_folder, find_leftovers
from rtrace.replay.protocol import Ability
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.place import TracePlace
from rtrace.trace.settling import find_unsettled, settle
from rtrace_unpackers.chroot import UNPACKER

TEMPORARY_ALONE = ("run", "verify", "info", "list", "audit")
LEAVE = """\
import os, sys
from pathlib import Path
from rtrace.files.workspaces import working
block = working(Path(sys.argv[1]), sys.argv[2])
path = block.__enter__()
(path / "folder").mkdir()
(path / "folder/file").write_text("half")
print(path, flush=True)
os.kill(os.getpid(), 9)
"""


def leave(folder: Path, prefix: str) -> Path:
    """Have a process killed while it works in a folder; return what it left."""
    done = subprocess.run([sys.executable, "-c", LEAVE, folder, prefix], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    return Path(done.stdout.strip())


@pytest.mark.parametrize(
    "prefix",
    ["rtrace-run-", "rtrace-verify-", "rtrace-audit-", ".rtrace-incomplete-", "a.rpz.incomplete-", ".t.removed-"],
)
def test_what_a_killed_process_left_is_removed(prefix: str, tmp_path: Path) -> None:
    """A workspace is a leftover as soon as its maker is dead, and gone with all that is in it."""
    left = leave(tmp_path, prefix)
    assert find_leftovers(tmp_path) == (left,)
    assert left.exists()
    assert clean_folder(tmp_path) == (left,)
    assert os.listdir(tmp_path) == []


@pytest.mark.requires("root")
@pytest.mark.parametrize("whose", ["folder", "lock", "folder above"])
def test_what_is_another_users_is_left_alone(whose: str, tmp_path: Path) -> None:
    """Root removes no leftover of another user's, and none where another user could exchange it."""
    place = tmp_path / "place"
    place.mkdir()
    left = leave(place, "b.rpz.incomplete-")
    owned = {"folder": left, "lock": left / LOCK_FILE, "folder above": place}[whose]
    os.chown(owned, 12345, 12345)
    assert clean_folder(place) == ()
    assert (left / "folder/file").exists()


@pytest.mark.requires("root")
def test_users_clean_up_after_themselves_alone(plain_user: PlainUser) -> None:
    """In a folder that all may write to, each one's commands remove what is theirs."""
    shared = plain_user.home / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    roots, users = leave(shared, "rtrace-run-"), leave(shared, "rtrace-run-")
    plain_user.give(users)
    done = plain_user.run(plain_user.rtrace, "doctor", "--clean", "--json", shared)
    assert done.returncode == 0, done.stderr
    assert [roots.exists(), users.exists()] == [True, False]
    assert json.loads(done.stdout)["cleaned"] == [f"removed {users}"]


def test_a_removal_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """As the lock file is the last to go, who removes a leftover may be killed, too."""
    left = leave(tmp_path, "b.rpz.incomplete-")
    (left / "folder/file").unlink()
    (left / "folder").rmdir()
    assert os.listdir(left) == [LOCK_FILE]
    assert clean_folder(tmp_path) == (left,)


def test_two_that_clean_up_do_not_meet(tmp_path: Path) -> None:
    """A leftover that somebody is removing is left to them."""
    left = leave(tmp_path, "b.rpz.incomplete-")
    with opened(left) as folder, lock_folder(folder, "it"):
        assert clean_folder(tmp_path) == ()
    assert clean_folder(tmp_path) == (left,)


def test_deep_trees_are_removed(tmp_path: Path) -> None:
    """A leftover of more nested folders than a path can name, or a process have descriptors, is removed."""
    left = leave(tmp_path, "rtrace-run-")
    folder = os.open(left, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert clean_folder(tmp_path) == (left,)


CLOSE_FOLDERS = """\
import os, sys
from pathlib import Path
from rtrace.operations.machine.leftovers import clean_folder
left = Path(sys.argv[1])
(left / "folder/below").mkdir()
for name in ("folder/below", "folder"):
    (left / name).chmod(0)
print(len(clean_folder(left.parent)), left.exists())
"""


def test_folders_that_their_owner_may_not_enter_are_removed(tmp_path: Path, plain_user: PlainUser) -> None:
    """A user's leftover goes though some of its folders are closed to themselves."""
    left = leave(plain_user.home, "rtrace-run-")
    plain_user.give(left)
    python = plain_user.rtrace.read_text().splitlines()[0].removeprefix("#!")
    done = plain_user.run(python, "-c", CLOSE_FOLDERS, left, env={"PYTHONPATH": str(plain_user.rtrace.parent.parent)})
    assert done.stdout == b"1 False\n", done.stderr
    assert tmp_path.exists()


REPLAY_AND_DIE = """\
import os, sys
from pathlib import Path
from rtrace.files.workspaces import THROW_AWAY, temporary
from rtrace_unpackers.chroot import UNPACKER
block = temporary("run")
path = block.__enter__()
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), path / THROW_AWAY).target)
print(target.run(target.runs()[0]).exit_code, path, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.requires("root", "busybox", "newuidmap")
def test_what_other_users_of_a_replay_left_is_removed(tmp_path: Path, user_with_others: PlainUser) -> None:
    """A throw-away target with files of a user's subordinate ids, which the user cannot remove as themselves, goes."""
    user = user_with_others
    script = b"mkdir closed; echo x > closed/file; chmod 700 closed; chown -R 33:33 closed"
    bundle = user.home / "bundle.rpz"
    bundle.write_bytes(BundleMaker(tmp_path / "made").write(make_run(script, uid=0, gid=0, groups=())).read_bytes())
    user.give(bundle)
    python = user.rtrace.read_text().splitlines()[0].removeprefix("#!")
    environment = {"PYTHONPATH": str(user.rtrace.parent.parent), "TMPDIR": str(user.home)}
    killed = user.run(python, "-c", REPLAY_AND_DIE, bundle, env=environment)
    status, left = killed.stdout.decode().split()
    assert (status, killed.returncode) == ("0", -9), killed.stderr
    assert os.lstat(f"{left}/target/root/work/closed").st_uid != user.uid
    done = user.run(user.rtrace, "doctor", "--clean", env={"TMPDIR": str(user.home)})
    assert f"rtrace: removed {Path(left).name}\n".encode() in done.stderr
    assert not os.path.lexists(left)


@pytest.mark.requires("busybox", "user-namespaces")
@pytest.mark.parametrize(
    "command",
    ["unpack", "destroy", "pack", "export", "extract", "trace", "combine", "run", "verify", "info", "list", "audit"],
)
def test_the_next_command_in_a_place_cleans_up_and_says_so(command: str, tmp_path: Path) -> None:
    """Whatever writes in a folder, or in that for temporary files, removes there what a killed process left."""
    place, temporary = tmp_path / "place", tmp_path / "tmp"
    place.mkdir()
    temporary.mkdir()
    bundle = BundleMaker(tmp_path / "made").write(make_run(b"echo done"))
    UNPACKER.unpack(bundle, place / "target")
    assert run_rtrace("trace", "-q", "-d", tmp_path / "one", "true").returncode == 0
    left = leave(temporary if command in TEMPORARY_ALONE else place, "rtrace-run-")
    arguments = {
        "unpack": ("chroot", bundle, place / "new"),
        "destroy": (place / "target",),
        "pack": ("-d", tmp_path / "one", place / "b.rpz"),
        "export": ("-f", "reprozip", "-o", place / "b.rpz", bundle),
        "extract": ("-o", place / "sh", bundle, "/bin/busybox"),
        "trace": ("-d", place / "two", "true"),
        "combine": ("-d", place / "both", tmp_path / "one"),
        **dict.fromkeys(TEMPORARY_ALONE, (bundle,)),
    }[command]
    done = run_rtrace(command, *arguments, env={**os.environ, "TMPDIR": str(temporary)})
    assert f"rtrace: removed {left}, which a killed process of rtrace had left\n" in done.stderr.decode()
    assert not left.exists()
    assert os.listdir(temporary) == []


def make_trace(folder: Path, *command: str, options: tuple[str, ...] = ()) -> TraceDirectory:
    """Trace a command into the folder's `t`."""
    done = run_rtrace("trace", "-q", "-d", folder / "t", *options, *command)
    assert done.returncode == 0, done.stderr
    return TraceDirectory(folder / "t")


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own, in which traces lie while their runs go on."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.mark.parametrize("kind", ["new", "continue", "overwrite"])
def test_a_trace_that_never_began_is_put_back(kind: str, tmp_path: Path, state_home: Path) -> None:
    """A tracer that dies before its program begins leaves what was there before, as soon as somebody comes next."""
    if kind != "new":
        make_trace(tmp_path, "true")
    trace = TraceDirectory(tmp_path / "t")
    place = TracePlace(trace, continued=kind == "continue", overwrite=kind == "overwrite")
    place.connection.execute(ADD_RUN)
    assert os.listdir(tmp_path) == []
    with pytest.raises(BusyError, match=f"{trace.path} is in use"):
        settle(trace)
    assert find_unsettled(tmp_path) == ()
    die(place)
    assert find_unsettled(tmp_path) == (trace,)
    (told,) = settle(trace)
    assert told.split()[0] in {"removed", "brought"}
    assert find_unsettled(tmp_path) == ()
    assert settle(trace) == ()
    assert list(state_home.rglob("rtrace.lock")) == []
    if kind == "new":
        assert os.listdir(tmp_path) == []
    else:
        assert os.listdir(tmp_path) == ["t"]
        assert count_runs(trace) == 1
        names = [".gitignore", "manifest.yml", "records", LOCK_FILE, "snapshots", "streams", "trace.sqlite3"]
        assert sorted(os.listdir(trace.path)) == names


@pytest.mark.parametrize("kind", ["new", "continue", "overwrite"])
def test_the_trace_of_a_killed_tracer_gets_its_place(kind: str, tmp_path: Path, state_home: Path) -> None:
    """What was traced until the tracer was killed is packed by the next command, and nothing is left elsewhere."""
    if kind != "new":
        make_trace(tmp_path, "true")
    trace = TraceDirectory(tmp_path / "t")
    place = TracePlace(trace, continued=kind == "continue", overwrite=kind == "overwrite")
    place.keep()
    place.connection.execute(ADD_RUN)
    die(place)
    assert os.listdir(tmp_path) == []
    done = run_rtrace("pack", "-d", trace.path, tmp_path / "b.rpz")
    assert f"brought {trace.path} into its place" in done.stderr.decode()
    assert count_runs(trace) == (2 if kind == "continue" else 1)
    assert list(state_home.rglob("rtrace.lock")) == []


def leave_trace(folder: Path) -> TraceDirectory:
    """Leave the trace of a tracer that was killed when its run had begun."""
    trace = TraceDirectory(folder / "t")
    place = TracePlace(trace, continued=False, overwrite=False)
    place.keep()
    die(place)
    return trace


@pytest.fixture
def diagnose(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Call `rtrace doctor` with an empty folder for temporary files."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "place").mkdir()

    def call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
        return run_rtrace("doctor", *arguments, cwd=tmp_path / "place", env=environment)

    return call


def test_doctor_lists_and_cleans(diagnose: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path) -> None:
    """`doctor` names leftovers and touches nothing; `doctor --clean` removes them and names what is gone."""
    leave_trace(tmp_path / "place")
    left = [leave(tmp_path / "tmp", "rtrace-verify-"), leave(tmp_path / "place", "b.rpz.incomplete-")]
    before = sorted(map(str, tmp_path.rglob("*")))
    listed = json.loads(diagnose("--json").stdout)
    assert listed["format"] == 1
    assert listed["leftovers"] == ["t", left[1].name, str(left[0])]
    assert sorted(map(str, tmp_path.rglob("*"))) == before
    assert b"left by a killed process: b.rpz" in diagnose().stdout
    cleaned = diagnose("--clean")
    assert f"rtrace: removed {left[0]}\n".encode() in cleaned.stderr
    assert b"into its place" in cleaned.stderr
    assert os.listdir(tmp_path / "tmp") == []
    assert os.listdir(tmp_path / "place") == ["t"]
    assert json.loads(diagnose("--json").stdout)["leftovers"] == []


def test_doctor_tries_what_works(diagnose: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path) -> None:
    """What a program of a traced process may not do does not work there, and `doctor` says so with the reason."""
    abilities = {ability["name"]: ability for ability in json.loads(diagnose("--json").stdout)["abilities"]}
    assert abilities["trace by notifications"]["works"]
    assert set(abilities) >= {"user namespaces", "several users in a replay", "limits by control groups"}
    traced = run_rtrace("trace", "-q", "-d", tmp_path / "t", sys.executable, "-m", "rtrace", "doctor")
    refused = [line for line in traced.stdout.decode().splitlines() if " trace by " in line]
    assert [line.split()[0] for line in refused] == ["no", "no", "no"]
    assert all(": " in line for line in refused)


class Keeper:
    """An unpacker that keeps things elsewhere."""

    def list_leftovers(self) -> tuple[str, ...]:
        """One thing is left."""
        return ("the container x",)

    def clean(self) -> tuple[str, ...]:
        """It goes."""
        return ("the container x",)

    def examine(self) -> tuple[Ability, ...]:
        """It works."""
        return (Ability("keeping", works=True),)


def test_unpackers_add_what_they_keep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unpacker with the methods for it is asked what works, what is left, and to remove that."""
    monkeypatch.setattr(doctor, "load_unpackers", lambda: iter((Keeper(),)))
    assert "the container x" in doctor.find_all([tmp_path])
    assert "removed the container x" in doctor.clean_all([tmp_path])
    assert Ability("keeping", works=True) in tuple(doctor.examine())
