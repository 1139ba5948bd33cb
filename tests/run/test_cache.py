"""Throw-away replays share the files of a bundle: begun at once, not to be told apart, and never changed by anybody."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import observing
from plain_user import PlainUser
from rtrace.errors import TargetError
from rtrace.opening import open_bundle
from rtrace.replay.protocol import Streams
from rtrace_unpackers.cache.trees import hold_tree
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.chroot.shared_target import SharedTarget

pytestmark = pytest.mark.requires("user-namespaces")

PYTHON = "/usr/bin/python3"
LOOK_ROUND = Path(__file__).parents[1] / "support/look_round.py"
TRY = """\
import os
names = sorted(os.listdir("."))
print(len(names), flush=True)
open("kept", "a").write("more\\n")
open("new", "w").write("new\\n")
print(open("kept").read(), end="", flush=True)
"""


Run = Callable[..., subprocess.CompletedProcess[bytes]]


def run_rtrace(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run rtrace, in this environment with some more."""
    return observing.run_rtrace(*arguments, cwd=cwd, env={**os.environ, **(env or {})})


def make_bundle(folder: Path, script: str = TRY) -> Path:
    """Trace and pack a program that changes what it finds; return the bundle."""
    folder.mkdir()
    (folder / "kept").write_text("kept\n")
    (folder / "script.py").write_text(script)
    traced = run_rtrace("trace", "-q", PYTHON, "script.py", cwd=folder)
    assert traced.returncode == 0, traced.stderr
    assert run_rtrace("pack", "-q", "bundle.rpz", cwd=folder).returncode == 0
    return folder / "bundle.rpz"


def cache_of(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment with a cache of one's own."""
    return {"RTRACE_CACHE": str(folder / "trees"), **more}


def list_roots(folder: Path) -> list[Path]:
    """Return the trees in such a cache."""
    return sorted((folder / "trees").glob("*/root"))


def test_second_replay_unpacks_nothing(tmp_path: Path) -> None:
    """The files are in the cache after the first replay; the second one reads no content of the bundle."""
    bundle = make_bundle(tmp_path / "work")
    first = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    assert (first.returncode, first.stderr) == (0, b"")
    assert len(list_roots(tmp_path)) == 1
    with open_bundle(bundle) as opened:
        data = opened.find_member("DATA.tar.zst")  # type: ignore[attr-defined]  # a bundle of rtrace
    with bundle.open("r+b") as file:
        file.seek(data.offset)
        file.write(bytes(data.size))
    second = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, b"")
    refused = run_rtrace("run", bundle, cwd=tmp_path, env={"RTRACE_CACHE": "off"})
    assert refused.returncode == 125


def test_replays_do_not_see_each_other(tmp_path: Path) -> None:
    """What a replay changes is its own: the tree stays as it was, and the next replay finds it so."""
    bundle = make_bundle(tmp_path / "work")
    printed = [run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path)).stdout for _ in range(3)]
    assert printed == [b"2\nkept\nmore\n"] * 3
    (root,) = list_roots(tmp_path)
    assert [path.read_text() for path in root.rglob("kept")] == ["kept\n"]
    assert list(root.rglob("new")) == []
    verified = run_rtrace("verify", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    assert verified.returncode == 0, verified.stdout


def make_world(folder: Path, user: PlainUser | None) -> Path:
    """Trace and pack the program that looks round; return the bundle."""
    world = folder / "world"
    world.mkdir()
    shutil.copy(LOOK_ROUND, world / "look_round.py")
    (world / "moved/below").mkdir(parents=True)
    for name in (
        "moved/one",
        "moved/below/two",
        "read",
        "locked",
        "mapped",
        "touched",
        "first",
        "unwritten",
        "replaced",
    ):
        (world / name).write_text(f"{name}\n")
    os.link(world / "first", world / "second")
    (world / "link").symlink_to("read")
    (world / "emptied").mkdir()
    (world / "emptied/inner").write_text("inner\n")
    (world / "listed").mkdir()
    for number in range(20):
        (world / f"listed/file{number}").write_text(f"{number}\n")
    os.utime(world / "touched", ns=(10**18, 10**18))
    if user is not None:
        user.give(world)
    run = run_rtrace if user is None else run_as(user)
    traced = run("trace", "-q", PYTHON, "look_round.py", cwd=world)
    assert traced.returncode == 0, traced.stderr
    assert run("pack", "-q", "bundle.rpz", cwd=world).returncode == 0
    return world / "bundle.rpz"


def run_as(user: PlainUser) -> Run:
    """Return what runs rtrace as a user, as `run_rtrace` does."""

    def run(
        *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return user.run(user.rtrace, *arguments, cwd=cwd, env=env)

    return run


@pytest.mark.parametrize("who", ["root", "plain_user", "user_with_others"])
def test_program_cannot_tell_shared_files_from_its_own(
    who: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Renamed folders, hard links, open files, locks, maps, times, numbers, orders: all as in a tree of its own."""
    if who == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    user: PlainUser | None = None if who == "root" else request.getfixturevalue(who)
    folder = tmp_path if user is None else user.home
    bundle = make_world(folder, user)
    run = run_rtrace if user is None else run_as(user)
    own = run("run", bundle, cwd=folder, env={"RTRACE_CACHE": "off"})
    assert own.returncode == 0, own.stderr
    for _ in range(2):
        shared = run("run", bundle, cwd=folder, env=cache_of(folder))
        assert json.loads(shared.stdout) == json.loads(own.stdout)
    assert len(list_roots(folder)) == 1
    verified = run("verify", "--all", bundle, cwd=folder, env=cache_of(folder))
    assert verified.returncode == 0, verified.stdout


def test_result_that_was_not_written_is_not_the_same(tmp_path: Path) -> None:
    """A file that a replay only opens for writing was not written, though an overlay has copied it."""
    folder = tmp_path / "work"
    script = """\
import os
with open("kept", "r+") as file:
    content = file.read()
    if os.path.exists("/etc/hostname"):  # which no bundle has: the replay does not write
        file.seek(0)
        file.write(content)
"""
    bundle = make_bundle(folder, script)
    with open_bundle(bundle) as opened:
        assert b"/etc/hostname" not in {entry.path for entry in opened.entries if not entry.placeholder}
    told = [
        run_rtrace("verify", "--all", bundle, cwd=tmp_path, env=env)
        for env in ({"RTRACE_CACHE": "off"}, cache_of(tmp_path))
    ]
    assert [one.returncode for one in told] == [told[0].returncode] * 2
    lines = [[line for line in one.stdout.splitlines() if b"took" not in line] for one in told]
    assert lines[0] == lines[1]


def test_changed_tree_is_made_anew(tmp_path: Path) -> None:
    """Who changes a file in the cache, whatever time it shows, changes no result."""
    bundle = make_bundle(tmp_path / "work")
    first = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    (root,) = list_roots(tmp_path)
    (kept,) = root.rglob("kept")
    before = kept.stat()
    kept.write_text("tick\n")
    os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
    for command in ("run", "verify"):
        again = run_rtrace(command, bundle, cwd=tmp_path, env=cache_of(tmp_path))
        assert again.returncode == 0, again.stdout
        if command == "run":
            assert again.stdout == first.stdout
    assert kept.read_text() == "kept\n"


def test_damaged_description_is_made_anew(tmp_path: Path) -> None:
    """A tree that says nothing sensible of itself is replaced."""
    bundle = make_bundle(tmp_path / "work")
    run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    (root,) = list_roots(tmp_path)
    for content in ("", "[]", '{"format": 99}'):
        (root.parent / "rtrace-tree.json").write_text(content)
        again = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
        assert (again.returncode, again.stderr) == (0, b"")
        assert json.loads((root.parent / "rtrace-tree.json").read_text())["format"] == 1


def test_cache_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    """A folder that others can write to, or look into, keeps nothing; the replay takes place all the same."""
    bundle = make_bundle(tmp_path / "work")
    for mode in (0o777, 0o755):
        trees = tmp_path / f"trees{mode:o}"
        trees.mkdir()
        trees.chmod(mode)
        ran = run_rtrace("run", bundle, cwd=tmp_path, env={"RTRACE_CACHE": str(trees)})
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert list(trees.iterdir()) == []


def test_least_recently_used_goes(tmp_path: Path) -> None:
    """When the trees take more room than they may, the one that was not used for longest goes first."""
    bundles = [make_bundle(tmp_path / name, f"{TRY}# {name}\n") for name in ("one", "two", "three")]
    env = cache_of(tmp_path)
    for bundle in bundles[:2]:
        run_rtrace("run", bundle, cwd=tmp_path, env=env)
    size = max(
        one["size"] for one in json.loads(run_rtrace("cache", "list", "--json", cwd=tmp_path, env=env).stdout)["cached"]
    )
    run_rtrace("run", bundles[0], cwd=tmp_path, env=env)
    limit = cache_of(tmp_path, RTRACE_CACHE_SIZE=str(size * 5 // 2))
    assert run_rtrace("run", bundles[2], cwd=tmp_path, env=limit).returncode == 0
    kept = [
        one["identity"]
        for one in json.loads(run_rtrace("cache", "list", "--json", cwd=tmp_path, env=env).stdout)["cached"]
    ]
    assert kept == [identify(bundles[2]), identify(bundles[0])]
    small = cache_of(tmp_path, RTRACE_CACHE_SIZE="1K")
    assert run_rtrace("run", bundles[1], cwd=tmp_path, env=small).returncode == 0
    assert len(list_roots(tmp_path)) == 2
    wrong = run_rtrace("run", bundles[1], cwd=tmp_path, env=cache_of(tmp_path, RTRACE_CACHE_SIZE="much"))
    assert wrong.returncode == 2
    assert wrong.stderr == b"rtrace: RTRACE_CACHE_SIZE=much is no size; write a number with K, M, G or T\n"


def identify(bundle: Path) -> str:
    """Return the identity of a bundle."""
    with open_bundle(bundle) as opened:
        return opened.identity


def test_cache_is_listed_and_cleared(tmp_path: Path) -> None:
    """`rtrace cache` shows what is kept, and removes what is named by file or identity, or all."""
    bundles = [make_bundle(tmp_path / name, f"{TRY}# {name}\n") for name in ("one", "two", "three")]
    env = cache_of(tmp_path)

    def cache(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        return run_rtrace("cache", *arguments, cwd=tmp_path, env=env)

    assert cache("list").stdout == b""
    for bundle in bundles:
        run_rtrace("run", bundle, cwd=tmp_path, env=env)
    lines = cache("list").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == [identify(bundle)[:12] for bundle in reversed(bundles)]
    assert all(line.endswith("  bundle.rpz") for line in lines)
    assert cache("clear", bundles[1]).returncode == 0
    assert cache("clear", f"sha256:{identify(bundles[2])}").returncode == 0
    assert [root.parent.name.split("-")[0] for root in list_roots(tmp_path)] == [identify(bundles[0])]
    unknown = cache("clear", "0000000000")
    assert (unknown.returncode, len(list_roots(tmp_path))) == (2, 1)
    assert cache("clear").returncode == 0
    assert list_roots(tmp_path) == []
    assert run_rtrace("run", bundles[0], cwd=tmp_path, env=env).returncode == 0


def test_tree_in_use_stays(tmp_path: Path) -> None:
    """What a replay uses is not cleared, and that is said."""
    bundle = make_bundle(tmp_path / "work")
    env = cache_of(tmp_path)
    run_rtrace("run", bundle, cwd=tmp_path, env=env)
    (root,) = list_roots(tmp_path)
    held = hold_tree(root.parent)
    assert held is not None
    cleared = run_rtrace("cache", "clear", cwd=tmp_path, env=env)
    assert b"is in use by another process and stays" in cleared.stderr
    assert list_roots(tmp_path) == [root]
    held.release()
    assert run_rtrace("cache", "clear", cwd=tmp_path, env=env).returncode == 0
    assert list_roots(tmp_path) == []


def test_two_first_replays_at_the_same_time(tmp_path: Path) -> None:
    """Both processes that unpack the same bundle replay it, and one tree is kept."""
    bundle = make_bundle(tmp_path / "work")
    told: list[subprocess.CompletedProcess[bytes]] = []
    threads = [
        threading.Thread(target=lambda: told.append(run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.returncode, one.stdout, one.stderr) for one in told] == [(0, b"2\nkept\nmore\n", b"")] * 4
    assert len(list_roots(tmp_path)) == 1
    assert [path.name for path in (tmp_path / "trees").iterdir() if path.name.startswith(".")] == []


def test_half_made_tree_is_removed(tmp_path: Path) -> None:
    """What a killed process had begun to unpack is gone after the next replay."""
    bundle = make_bundle(tmp_path / "work")
    half = tmp_path / "trees/.rtrace-incomplete-01234567"
    (half / "root").mkdir(parents=True)
    (tmp_path / "trees").chmod(0o700)
    (half / "rtrace.lock").touch()
    ran = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    assert (ran.returncode, half.exists()) == (0, False)
    assert b"which a killed process of rtrace had left" in ran.stderr


def test_replay_does_not_see_where_the_cache_is(tmp_path: Path) -> None:
    """What is mounted says nothing of the machine's folders, and nothing below the overlay can be reached."""
    script = "print(open('/proc/self/mountinfo').read())\nimport os\nprint(os.listdir('/'))\n"
    bundle = make_bundle(tmp_path / "work", script)
    ran = run_rtrace("run", bundle, cwd=tmp_path, env=cache_of(tmp_path))
    assert ran.returncode == 0
    assert b" - overlay " in ran.stdout
    assert str(tmp_path / "trees").encode() not in ran.stdout
    assert b"rtrace-run" not in ran.stdout


def test_files_are_put_into_the_overlay_and_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that shares its files takes others in their place, and gives what replays left; the tree stays."""
    bundle = make_bundle(tmp_path / "work")
    monkeypatch.setenv("RTRACE_CACHE", str(tmp_path / "trees"))
    target = UNPACKER.open(UNPACKER.unpack(bundle, tmp_path / "target", throw_away=True).target)
    assert isinstance(target, SharedTarget)
    try:
        with open_bundle(bundle) as opened:
            kept = next(entry for entry in opened.entries if entry.path.endswith(b"/kept"))
        target.put(kept._replace(path=kept.path + b".d/e/new", mode=0o640), io.BytesIO(b"deep\n"))
        target.put(kept, io.BytesIO(b"given\n"))
        with (tmp_path / "out").open("w+b") as out:
            target.run(target.runs()[0], streams=Streams(os.open(os.devnull, os.O_RDONLY), out.fileno(), 2))
        assert (tmp_path / "out").read_bytes() == b"3\ngiven\nmore\n"
        for path, content in ((kept.path, b"given\nmore\n"), (kept.path + b".d/e/new", b"deep\n")):
            into = io.BytesIO()
            target.fetch(path, into)
            assert into.getvalue() == content
        with pytest.raises(FileNotFoundError):
            target.fetch(kept.path + b"/nothing", io.BytesIO())
        with pytest.raises(TargetError, match="no regular file"):
            target.fetch(b"/", io.BytesIO())
        with pytest.raises(TargetError, match="make another one"):
            target.reset(bundle)
    finally:
        target.destroy()
    (root,) = list_roots(tmp_path)
    assert [path.read_text() for path in root.rglob("kept")] == ["kept\n"]
    assert not (tmp_path / "target").exists()
