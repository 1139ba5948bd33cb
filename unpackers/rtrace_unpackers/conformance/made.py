"""Checks on a target as a whole: planned, made, removed, and never by half."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

from rtrace.errors import BundleError, RtraceError, TargetError
from rtrace.replay.protocol import STATE_FILE, STATE_LIMIT, Cleaner
from rtrace_unpackers.conformance.bench import Bench, list_names
from rtrace_unpackers.conformance.bundles import RUNS
from rtrace_unpackers.conformance.hostile import make_hostile
from rtrace_unpackers.conformance.model import BrokenPromiseError, CannotTellError, Checks, expect, expect_same

MADE = Checks()


@MADE.add("plan", "a plan tells at least one step, and touches nothing")
def check_plan(bench: Bench) -> None:
    """Plan a target."""
    folder = bench.make_folder()
    steps = bench.unpacker.plan(bench.sample, folder / "target")
    expect(bool(steps) and all(isinstance(step, str) and step for step in steps), "the plan has no steps")
    expect_same("what a plan left", list_names(folder), [])


@MADE.add("unpack", "unpack makes a folder of that name and nothing beside it, which only its owner can enter")
def check_unpack(bench: Bench) -> None:
    """Make the target that the other checks share."""
    path = bench.target.path
    expect_same("what is in the target's folder", list_names(path.parent), [path.name])
    expect_same("the permissions of the target", oct(stat.S_IMODE(path.stat().st_mode)), "0o700")


@MADE.add("state", "the target says which unpacker made it, and which runs it replays")
def check_state(bench: Bench) -> None:
    """Read the state file."""
    path = bench.target.path / STATE_FILE
    content = path.read_bytes()
    expect(len(content) <= STATE_LIMIT, f"{STATE_FILE} has more than {STATE_LIMIT} bytes")
    expect_same("the unpacker in the state", json.loads(content)["unpacker"], bench.unpacker.name)
    expect_same("the runs", tuple(bench.target.runs()), RUNS)


@MADE.add("existing", "unpack refuses a name that is taken, be it by a symlink to nothing, and touches nothing there")
def check_existing(bench: Bench) -> None:
    """Unpack to where something is."""
    folder = bench.make_folder()
    (folder / "folder").mkdir()
    (folder / "file").write_bytes(b"kept")
    (folder / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        try:
            bench.unpacker.unpack(bench.sample, folder / name)
        except TargetError:
            continue
        raise BrokenPromiseError(f"a {name} was taken for a target's place")
    expect_same("what is there", list_names(folder), ["file", "folder", "link"])
    expect_same("what is in the folder", list_names(folder / "folder"), [])
    expect_same("the file", (folder / "file").read_bytes(), b"kept")


@MADE.add("killed", "unpack that is killed leaves no target, and nothing that the next one does not remove")
def check_killed(bench: Bench) -> None:
    """Kill it when the first of the work is done."""
    folder = bench.make_folder()
    words = ("-m", "rtrace_unpackers.conformance.killed", bench.unpacker.name, bench.sample, folder / "target")
    done = subprocess.run([sys.executable, *words], check=False, capture_output=True)
    if done.returncode == 0:
        bench.unpacker.open(folder / "target").destroy()
        raise CannotTellError("it tells no progress, by which it could be killed in the midst")
    expect_same("how the process ended", done.returncode, -signal.SIGKILL)
    expect(not os.path.lexists(folder / "target"), "what was made by half bears the target's name")
    command = ("-m", "rtrace", "unpack", bench.unpacker.name, bench.sample, folder / "target")
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True)
    expect(done.returncode == 0, f"the next `rtrace unpack` failed: {done.stderr.decode(errors='backslashreplace')}")
    expect_same("what is there after the next `rtrace unpack`", list_names(folder), ["target"])
    bench.unpacker.open(folder / "target").destroy()
    expect_same("what is there after that target is destroyed", list_names(folder), [])
    if isinstance(bench.unpacker, Cleaner):
        expect_same("what is left elsewhere", tuple(bench.unpacker.list_leftovers()), ())


@MADE.add("damaged", "a bundle that is damaged when half of it is written leaves nothing")
def check_damaged(bench: Bench) -> None:
    """Unpack the sample with its last contents changed."""
    folder = bench.make_folder()
    content = bytearray(bench.sample.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "damaged.rpz").write_bytes(content)
    try:
        bench.unpacker.unpack(folder / "damaged.rpz", folder / "target")
    except BundleError:
        expect_same("what is left", list_names(folder), ["damaged.rpz"])
        return
    raise BrokenPromiseError("it was unpacked")


@MADE.add("hostile", "hostile bundles, a kind after the other, are refused, and nothing is written anywhere")
def check_hostile(bench: Bench) -> None:
    """Unpack what leads out of the tree, and what is in disorder."""
    place = bench.make_folder()
    outside = bench.make_folder()
    for what, bundle in make_hostile(bench.make_folder() / "hostile", outside):
        try:
            bench.unpacker.unpack(bundle, place / "target")
        except (BundleError, TargetError):
            pass
        else:
            bench.unpacker.open(place / "target").destroy()
            raise BrokenPromiseError(f"{what}: it was unpacked")
        expect_same(f"{what}: what is left", list_names(place), [])
        expect_same(f"{what}: what is outside", list_names(outside), [])


@MADE.add("open", "what is no target, or another unpacker's, is not opened")
def check_open(bench: Bench) -> None:
    """Open two folders that are none."""
    folder = bench.make_folder()
    folder.chmod(0o700)
    for content in (None, {"unpacker": "somebody-else", "bundle": "", "facts": {}, "format": 1}):
        if content is not None:
            (folder / STATE_FILE).write_text(json.dumps(content))
        try:
            bench.unpacker.open(folder)
        except TargetError:
            continue
        raise BrokenPromiseError("a folder without a state was opened" if content is None else "another's was opened")


@MADE.add("destroy", "destroy removes all of the target, and nothing beside it")
def check_destroy(bench: Bench) -> None:
    """Destroy a target in which a run wrote."""
    with bench.fresh() as target:
        folder = target.path.parent
        (folder / "neighbour").write_bytes(b"kept")
        bench.replay(b"echo made >made; echo more >folder/more", target=target)
        target.destroy()
        expect_same("what is left", list_names(folder), ["neighbour"])


@MADE.add("destroy-others", "destroy does not remove what somebody else put into the target's folder")
def check_destroy_others(bench: Bench) -> None:
    """Put a file beside the tree."""
    with bench.fresh() as target:
        own = target.path / "somebody's own"
        own.write_bytes(b"kept")
        try:
            target.destroy()
        except RtraceError:
            expect(own.exists(), "it was removed, although destroy was refused")
            own.unlink()
            target.destroy()
            expect_same("what is left", list_names(target.path.parent), [])
            return
        expect(own.exists(), "it was removed")
        own.unlink()
