"""Targets belong to somebody: who may use one, by which ways, and what is not touched whatever is put in its place."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, unpack_as
from observing import run_rtrace
from open_folders import opened
from plain_user import PlainUser
from rtrace.errors import BusyError, TargetError
from rtrace.files import removing
from rtrace.files.removing import open_folder_below
from rtrace.files.renaming import rename_new
from rtrace.replay.protocol import STATE_FILE
from rtrace.replay.registry import open_target
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.chroot.target import ChrootTarget
from rtrace_unpackers.target.placement import building
from rtrace_unpackers.target.removal import remove_tree
from rtrace_unpackers.target.state import read_state

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

Make = Callable[..., ChrootTarget]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Unpack a run of a script into a target of the user who runs the tests, who can remove it in the end."""

    def unpack(script: bytes = b"", name: str = "target") -> ChrootTarget:
        maker = BundleMaker(tmp_path / f"made-{name}")
        maker.directory(b"/work/deep")
        maker.file(b"/work/deep/file", b"content")
        return UNPACKER.open(UNPACKER.unpack(maker.write(make_run(script)), tmp_path / name).target)

    yield unpack
    subprocess.run(["chmod", "-R", "u+rwx", tmp_path], check=True)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder that nothing may touch, with a file in it."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_text("precious")
    return folder


def is_whole(canary: Path) -> bool:
    """Whether the canary lives."""
    return [path.name for path in canary.iterdir()] == ["file"] and (canary / "file").read_text() == "precious"


@pytest.mark.requires("root")
@pytest.mark.parametrize("change", ["nothing", "owners", "moved"])
def test_root_uses_no_target_of_a_user(change: str, plain_user: PlainUser, tmp_path: Path) -> None:
    """Whatever a user writes into the state, and wherever the folder lies, root neither replays nor removes it."""
    bundle = BundleMaker(tmp_path / "made-by-user").write(make_run(b"echo x > /work/new"))
    target = unpack_as(plain_user, bundle)
    if change == "owners":
        state = json.loads((target / STATE_FILE).read_text())
        (target / STATE_FILE).write_text(json.dumps({**state, "facts": {"owners": "recorded"}}))
    if change == "moved":
        target = target.rename(tmp_path / "target")
    for command in ("run", "destroy"):
        done = run_rtrace(command, target)
        assert done.returncode == 125
        assert b"belongs to another user" in done.stderr
    assert not (target / "root/work/new").exists()
    assert (target / "root/bin/busybox").exists()


@pytest.mark.requires("root")
@pytest.mark.parametrize(
    "mode, owner, works",
    [(0o755, 0, 1), (0o1777, 0, 1), (0o777, 0, 0), (0o775, 0, 0), (0o755, 12345, 0), (0o1777, 12345, 0)],
)
def test_root_works_where_nobody_else_can_exchange_things(
    mode: int, owner: int, works: int, make: Make, tmp_path: Path
) -> None:
    """A target of root's is used and made below folders of root's alone, which others may only add to."""
    above = tmp_path / "above"
    (above / "between").mkdir(parents=True)
    target = make(b"exit 3").path.rename(above / "between/target")
    os.chown(above, owner, owner)
    above.chmod(mode)
    bundle = BundleMaker(tmp_path / "again").write(make_run())
    if works:
        assert open_target(target).run(make_run(b"exit 3")).exit_code == 3
        UNPACKER.unpack(bundle, above / "between/new")
        return
    with pytest.raises(TargetError, match="who could exchange what root has there"):
        open_target(target)
    with pytest.raises(TargetError, match="who could exchange what root has there"):
        UNPACKER.unpack(bundle, above / "between/new")
    assert os.listdir(above / "between") == ["target"]


@pytest.mark.requires("root")
def test_root_follows_no_symlink_of_another_user(make: Make, tmp_path: Path) -> None:
    """A symlink on the way to a target leads root on when it is root's, and not when it is somebody else's."""
    folder = tmp_path / "folder"
    folder.mkdir()
    make().path.rename(folder / "target")
    link = tmp_path / "link"
    link.symlink_to("folder")
    open_target(link / "target")
    os.lchown(link, 12345, 12345)
    with pytest.raises(TargetError, match="link is a symbolic link of another user"):
        open_target(link / "target")


def test_a_target_that_others_can_enter_is_refused(make: Make) -> None:
    """A target whose folder was opened to others is used only once it is closed again; the sentence says how."""
    target = make()
    target.path.chmod(0o755)
    with pytest.raises(TargetError, match=f"run `chmod 700 {target.path}`"):
        open_target(target.path)
    target.path.chmod(0o700)
    open_target(target.path)


def test_a_symlink_is_no_target(make: Make, tmp_path: Path) -> None:
    """A symlink to a target is refused, and neither it nor the target removed."""
    target = make()
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(TargetError, match="is a symbolic link; name the folder that it points to"):
        open_target(tmp_path / "link")
    with pytest.raises(TargetError, match="is a symbolic link"):
        remove_tree(tmp_path / "link")
    assert (target.path / STATE_FILE).exists()


def test_a_symlink_in_the_place_of_the_tree_leads_nowhere(make: Make, canary: Path) -> None:
    """With `root` exchanged for a symlink, nothing is replayed or looked at, and `destroy` removes just the link."""
    target = make(b"echo x > /new")
    target.tree.chmod(0o700)
    target.tree.rename(target.path.parent / "moved")
    target.tree.symlink_to(canary)
    with pytest.raises(TargetError, match="is damaged: its folder root cannot be opened"):
        target.run(make_run(b"echo x > /new"))
    with pytest.raises(TargetError, match="cannot look into"):
        target.inspect([b"/file"], [])
    target.destroy()
    assert is_whole(canary)
    assert not target.path.exists()


def test_a_folder_that_takes_a_targets_place_is_not_removed(make: Make, canary: Path) -> None:
    """`destroy` removes the folder that was opened, not the one that has its name by then."""
    target = make()
    moved = target.path.rename(target.path.with_name("moved"))
    canary.rename(target.path)
    with pytest.raises(TargetError, match="another folder was put in its place meanwhile"):
        target.destroy()
    assert is_whole(target.path)
    assert (moved / STATE_FILE).exists()
    assert not list(target.path.parent.glob(".target.*"))


def test_a_folder_that_takes_a_targets_place_is_not_replayed(make: Make) -> None:
    """A replay works in the tree of the folder that was opened, whatever bears its name by then."""
    target, other = make(), make(name="other")
    moved = target.path.rename(target.path.with_name("moved"))
    other.path.rename(target.path)
    assert target.run(make_run(b"echo x > /work/new")).exit_code == 0
    assert (moved / "root/work/new").exists()
    assert not (target.path / "root/work/new").exists()


@pytest.mark.parametrize("by", ["symlink", "folder"])
def test_a_target_in_the_making_is_not_exchanged(by: str, tmp_path: Path, canary: Path) -> None:
    """What takes the place of a target in the making is neither written into nor given the target's name."""
    block = contextlib.ExitStack()
    made = block.enter_context(building(tmp_path / "target"))
    made.path.rename(tmp_path / "moved")
    if by == "symlink":
        made.path.symlink_to(canary)
    else:
        canary.rename(made.path)
    os.mkdir("written", dir_fd=made.descriptor)
    with pytest.raises(TargetError, match="another folder was put in its place"):
        block.close()
    assert is_whole(made.path)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("by", ["symlink", "move"])
def test_removal_is_not_led_out_of_its_tree(
    by: str, tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who exchanges a folder for a symlink, or moves it, just when it is to be entered does not lead it elsewhere."""
    folder = tmp_path / "tree/a/b"
    (folder / "deeper").mkdir(parents=True)

    def exchange_and_open(parent: int, name: str) -> int:
        if by == "symlink" and name == "b":
            folder.rename(tmp_path / "tree/a/c")
            folder.symlink_to(canary)
        if by == "move" and name == "deeper":
            folder.rename(canary / "b")
        return open_folder_below(parent, name)

    monkeypatch.setattr(removing, "open_folder_below", exchange_and_open)
    with opened(tmp_path / "tree") as tree, pytest.raises(OSError, match=r"Not a directory|symbolic|moved"):
        removing.remove_below(tree)
    assert (canary / "file").read_text() == "precious"


def make_state(kind: str, state: Path) -> None:
    """Put something else in the place of a target's state file."""
    text = state.read_bytes()
    state.unlink()
    match kind:
        case "symlink":
            state.with_name("elsewhere").write_bytes(text)
            state.symlink_to("elsewhere")
        case "hard link":
            state.with_name("elsewhere").write_bytes(text)
            state.hardlink_to(state.with_name("elsewhere"))
        case "fifo":
            os.mkfifo(state)
        case "large":
            state.write_bytes(text + b" " * (1 << 20))
        case "nested":
            state.write_bytes(b"[" * 100_000)
        case "list":
            state.write_bytes(b"[]")
        case "folder":
            state.mkdir()


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "large", "nested", "list", "folder"])
def test_a_state_that_rtrace_did_not_write_is_refused(kind: str, make: Make) -> None:
    """A state is a small regular file of the user's with one name; anything else is one sentence, and nothing hangs."""
    target = make()
    make_state(kind, target.path / STATE_FILE)
    for read in (open_target, UNPACKER.open, lambda path: read_state(path, "chroot")):
        with pytest.raises(TargetError, match=f"{STATE_FILE}"):
            read(target.path)


@pytest.mark.requires("root")
def test_a_state_of_another_user_is_refused(make: Make) -> None:
    """Root believes no state file that is somebody else's, even in a folder of its own."""
    target = make()
    os.chown(target.path / STATE_FILE, 12345, 12345)
    with pytest.raises(TargetError, match="is not a file that rtrace wrote"):
        UNPACKER.open(target.path)


def test_destroy_removes_nothing_that_others_put_there(make: Make, canary: Path) -> None:
    """A state file in a folder of other things does not make them rtrace's: nothing is removed, and they are named."""
    target = make()
    canary.rename(target.path / "thesis")
    with pytest.raises(TargetError, match=r"holds what rtrace did not make \(thesis\)"):
        target.destroy()
    assert is_whole(target.path / "thesis")
    assert (target.path / STATE_FILE).exists()


def test_a_target_is_used_by_one_at_a_time(make: Make) -> None:
    """A second replay, a look and a removal are refused with the number of the process that is at it."""
    target = make()
    with target.folder.lock():
        other = open_target(target.path)
        for use in (lambda: other.run(make_run()), lambda: other.inspect([], []), other.destroy):
            with pytest.raises(BusyError, match=f"target is in use by process {os.getpid()} of rtrace"):
                use()
    assert other.run(make_run()).exit_code == 0
    other.destroy()


@pytest.mark.requires("root")
@pytest.mark.parametrize("name", ["trace.sqlite3", "snapshots", "streams", "manifest.yml"])
def test_a_trace_of_a_user_does_not_lead_root_elsewhere(name: str, plain_user: PlainUser, canary: Path) -> None:
    """A symlink that a user puts into their trace has root neither write nor read what it leads to; root's own may."""
    traced = plain_user.run(plain_user.rtrace, "trace", "-q", "sh", "-c", "echo x > changed; echo said")
    assert traced.returncode == 0, traced.stderr
    trace = plain_user.home / ".rtrace"
    (trace / name).rename(canary / name)
    os.chown(canary / name, 0, 0)
    (trace / name).symlink_to(canary / name)
    os.lchown(trace / name, plain_user.uid, plain_user.uid)
    before = read_all(canary)
    run = ("sh", "-c", "echo y > changed; echo said more")
    for arguments in (
        ("trace", "-q", "-d", trace, "--continue", *run),
        ("pack", "-d", trace, canary.with_name("b.rpz")),
        ("combine", "-d", canary.with_name("both"), trace),
    ):
        done = run_rtrace(*arguments, cwd=plain_user.home)
        assert done.returncode == 125
        assert f"holds {name}, a symbolic link of another user" in done.stderr.decode()
    assert read_all(canary) == before
    os.lchown(trace / name, 0, 0)
    assert run_rtrace("trace", "-q", "-d", trace, "--continue", *run, cwd=plain_user.home).returncode == 0


def read_all(folder: Path) -> dict[Path, bytes | None]:
    """Return what is in a folder: each file with its content, and each folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_lock_is_let_go_of_with_its_holder(make: Make) -> None:
    """A process that is killed leaves no lock behind."""
    path = make().path
    hold = "import sys; from pathlib import Path; from rtrace.replay.registry import open_target\n"
    hold += "lock = open_target(Path(sys.argv[1])).folder.lock(); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BusyError, match=f"process {holder.pid} "):
            open_target(path).run(make_run())
        holder.kill()
    assert open_target(path).run(make_run()).exit_code == 0


def test_no_wrong_process_is_named(make: Make) -> None:
    """The process that has a lock is named, and no other, whatever number is in the lock file."""
    target = make()
    with target.folder.lock():
        for number in (b"1\n", b"999999999999\n", b"-1\n", b"x", b""):
            (target.path / "rtrace.lock").write_bytes(number)
            with pytest.raises(BusyError, match=f"in use by process {os.getpid()} of rtrace"):
                open_target(target.path).destroy()


def test_no_program_gets_a_descriptor_of_a_lock(make: Make, tmp_path: Path) -> None:
    """Neither a traced program nor a replayed one has the lock's descriptor, by which it would keep the lock."""
    done = run_rtrace("trace", "-q", "-d", "t", "sh", "-c", "ls -l /proc/$$/fd", cwd=tmp_path)
    assert done.returncode == 0
    assert b"rtrace.lock" not in done.stdout
    target = make(b"ls -l /proc/self/fd")
    replayed = run_rtrace("run", target.path)
    assert replayed.returncode == 0, replayed.stderr
    assert b"rtrace.lock" not in replayed.stdout


def test_closed_standard_streams_do_not_become_locks(make: Make) -> None:
    """Where a standard stream is closed, a lock does not take its number, by which a program would inherit it."""
    target = make(b"ls -l /proc/self/fd")
    command = f'exec "{sys.executable}" -m rtrace run {target.path} <&-'
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"rtrace" not in done.stdout


def test_two_tracers_do_not_share_a_trace(tmp_path: Path) -> None:
    """While a run is traced its trace takes no other run and is not packed; the sentence names the tracer."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "rtrace", "trace", "-q", "-d", "t", "--", "sh", "-c", "cat go"]
    with subprocess.Popen(command, cwd=tmp_path) as tracer:
        with fifo.open("w"):
            for arguments in (
                ("trace", "-d", "t", "--continue", "true"),
                ("trace", "-d", "t", "--overwrite", "true"),
                ("pack", "-d", "t", "b.rpz"),
                ("combine", "-d", "both", "t"),
            ):
                done = run_rtrace(*arguments, cwd=tmp_path)
                assert done.returncode == 125
                assert done.stderr.decode() == (
                    f"rtrace: {tmp_path}/t is in use by process {tracer.pid} of rtrace; "
                    "wait until that has ended, or end it\n"
                )
        assert tracer.wait() == 0
    assert run_rtrace("trace", "-d", "t", "--continue", "true", cwd=tmp_path).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["go", "t"]


def test_readers_share_a_trace(tmp_path: Path) -> None:
    """Several may pack one trace at a time, also who cannot write there."""
    run_rtrace("trace", "-q", "-d", "t", "true", cwd=tmp_path)
    from rtrace.trace.directory import TraceDirectory

    with TraceDirectory(tmp_path / "t").lock(shared=True):
        assert run_rtrace("pack", "-d", "t", "b.rpz", cwd=tmp_path).returncode == 0


def test_locks_are_not_packed(tmp_path: Path) -> None:
    """No bundle holds a lock file, though the trace directory lies in a folder that is packed."""
    done = run_rtrace("trace", "-q", "-d", tmp_path / "t", "ls", "-R", tmp_path)
    assert done.returncode == 0
    assert run_rtrace("pack", "-d", tmp_path / "t", tmp_path / "b.rpz").returncode == 0
    assert b"rtrace.lock" not in run_rtrace("list", tmp_path / "b.rpz").stdout


def test_rename_replaces_nothing(tmp_path: Path) -> None:
    """A name that is taken stays what it is, also that of an empty folder, which rename(2) would replace."""
    for name in ("old", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    with opened(tmp_path) as folder:
        for name in ("empty", "dangling"):
            with pytest.raises(FileExistsError):
                rename_new(folder, "old", name)
        rename_new(folder, b"old", b"new")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "empty", "new"]
