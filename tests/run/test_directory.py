"""Directory targets: a script that replays with what a machine has, by root and by users, however odd the words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from plain_user import PlainUser
from rtrace_unpackers.directory.words import SCRIPT

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

USERS = ("bwrap", "proot", "ch-run", "unshare")
ROOTS = ("bwrap", "nspawn", "unshare", "chroot")
ISOLATING = {"bwrap", "nspawn", "unshare"}
HOSTNAMES = {"bwrap", "nspawn", "unshare"}
PROGRAMS = {"nspawn": "systemd-nspawn"}
ODD = "r'\"$(touch /tmp/rtrace-injected)`touch /tmp/rtrace-injected`\n-x;&|*\\"
INJECTED = Path("/tmp/rtrace-injected")
SCRIPT_OF_RUN = (
    b'printf "%s|" "$0" "$1"; id -u; id -g; umask; pwd; hostname 2>/dev/null; cat /work/file; echo "$ODD"; '
    b"ls /home 2>/dev/null; echo new >/work/made; ls -l /dev/null >/dev/null; exit 7"
)


def unpack(folder: Path, *runs: object) -> Path:
    """Unpack runs of busybox into a directory target."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/file", b"content\n")
    maker.directory(b"/usr", uid=0)  # nspawn wants a system
    maker.symlink(b"/bin/hostname", b"busybox")
    bundle = maker.write(*runs)  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", "unpack", "directory", bundle, folder / "target"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "target"


def run_script(
    target: Path, *words: str, tool: str = "", prefix: tuple[str, ...] = (), path: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a target's script, with a tool."""
    environ = {"PATH": path or os.environ["PATH"], "RTRACE_WITH": tool, "SECRET": "of the caller"}
    return subprocess.run(
        [*prefix, target / SCRIPT, *words],
        cwd="/",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


def make_odd_run() -> object:
    """Return a run whose every word is one that a shell would stumble over."""
    return make_run(
        SCRIPT_OF_RUN,
        id=ODD,
        argv=(b"sh", b"-c", SCRIPT_OF_RUN, b"-n $(id)`id`", b"\xff'\"\n"),
        environ=((b"PATH", b"/bin"), (b"ODD", b"\xfe$(id)'"), (b"BASH_FUNC_x%%", b"() { :; }")),
        umask=0o123,
        hostname="host-x",
    )


def check(done: subprocess.CompletedProcess[bytes], tool: str) -> None:
    """See that a run was as recorded, and that what the tool does not shut out was told."""
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 7, said
    lines = done.stdout.split(b"\n")
    assert lines[:5] == [b"-n $(id)`id`|\xff'\"", b"|4321", b"4321", b"0123", b"/work"]
    assert lines[6:] == [b"content", b"\xfe$(id)'", b""]
    if tool in HOSTNAMES:
        assert lines[5] == b"host-x"
    assert f"with {tool}" in said
    assert ("which" in said) == (tool not in ISOLATING)
    assert not INJECTED.exists()


@pytest.mark.requires("root", "bwrap", "systemd-nspawn", "unshare", "chroot")
@pytest.mark.parametrize("tool", ROOTS)
def test_root_runs_it_with_each_tool(tool: str, tmp_path: Path) -> None:
    """Words, ids, umask, directory and environment are the recorded ones, however odd; nothing of them is run."""
    target = unpack(tmp_path, make_odd_run())
    check(run_script(target, ODD, tool=tool), tool)
    made = target / "root/work/made"
    assert (made.read_text(), made.stat().st_uid) == ("new\n", 4321)
    assert list((target / "root/.rtrace").iterdir()) == []
    assert subprocess.run([sys.executable, "-m", "rtrace", "destroy", target], check=False).returncode == 0
    assert not target.exists()


@pytest.mark.requires("root", "bwrap", "proot", "ch-run", "unshare")
@pytest.mark.parametrize("tool", USERS)
def test_a_user_runs_it_with_each_tool(tool: str, plain_user: PlainUser, tmp_path: Path) -> None:
    """The same by a user, in a folder whose name is odd, too."""
    target = give_target(plain_user, tmp_path, make_odd_run())
    check(run_script(target, ODD, tool=tool, prefix=plain_user.prefix), tool)
    assert (target / "root/work/made").stat().st_uid == plain_user.uid


def give_target(user: PlainUser, folder: Path, *runs: object) -> Path:
    """Have a user unpack runs into a directory target in a folder with an odd name."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/file", b"content\n")
    maker.directory(b"/tmp", mode=0o1777, uid=0)  # ch-run wants one
    maker.symlink(b"/bin/hostname", b"busybox")
    own = user.home / "bundle.rpz"
    own.write_bytes(maker.write(*runs).read_bytes())  # type: ignore[arg-type]
    user.give(own)
    place = user.home / "it's $(id) \n odd"
    place.mkdir()
    user.give(place)
    done = user.run(user.rtrace, "unpack", "directory", own, place / "target")
    assert done.returncode == 0, done.stderr
    return place / "target"


@pytest.mark.requires("root")
@pytest.mark.parametrize("tools, taken", [
    (("bwrap", "proot", "unshare"), "bwrap"), (("proot", "unshare"), "proot"), (("unshare",), "unshare"), ((), None),
])  # fmt: skip
@pytest.mark.requires("bwrap", "proot", "unshare")
def test_the_best_tool_is_taken(
    tools: tuple[str, ...], taken: str | None, plain_user: PlainUser, tmp_path: Path
) -> None:
    """Of what is there, in the order of what it shuts out; without any, a sentence names all."""
    target = give_target(plain_user, tmp_path, make_run(b"echo done"))
    folder = plain_user.home / "bin"
    folder.mkdir()
    needed = ("sh", "id", "uname", "mount", "mkdir", "ln", "hostname", "env", "true", "sed", *tools)
    for name in needed:
        (folder / name).symlink_to(shutil.which(name) or f"/sbin/{name}")
    done = subprocess.run(
        [*plain_user.prefix, "env", "-i", f"PATH={folder}", "/bin/sh", target / SCRIPT],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    said = done.stderr.decode()
    if taken is None:
        assert done.returncode == 125
        assert [name for name in ("bubblewrap", "proot", "charliecloud", "util-linux") if name not in said] == []
    else:
        assert (done.returncode, done.stdout) == (0, b"done\n"), said
        assert f"with {taken}" in said


@pytest.mark.requires("root", "unshare")
def test_runs_are_taken_in_order_and_by_name(tmp_path: Path) -> None:
    """All without a name, up to the first that fails; the status is that of the last."""
    target = unpack(
        tmp_path, make_run(b"echo one", id="one"), make_run(b"exit 3", id="-two"), make_run(b"echo", id="c")
    )
    done = run_script(target, tool="unshare")
    assert (done.returncode, done.stdout) == (3, b"one\n")
    done = run_script(target, "--", "-two", tool="unshare")
    assert done.returncode == 3
    assert run_script(target, "--list").stdout == b"one\n-two\nc\n"
    done = run_script(target, "four", tool="unshare")
    assert done.returncode == 125
    assert b"--list" in done.stderr


@pytest.mark.requires("root", "unshare", "chroot")
@pytest.mark.parametrize("tool", ["unshare", "chroot"])
def test_what_a_run_puts_in_the_way_is_not_entered(tool: str, tmp_path: Path) -> None:
    """A link in the place of the folder for launchers would have root start a program of the bundle's."""
    target = unpack(tmp_path, make_run(b"echo no"))
    (target / "root/.rtrace").rmdir()
    (target / "root/.rtrace").symlink_to("bin")
    done = run_script(target, tool=tool)
    assert done.returncode == 125
    assert b"has put something in the place" in done.stderr


@pytest.mark.requires("root", "unshare")
def test_root_in_it_has_few_rights(tmp_path: Path) -> None:
    """A recorded root has the capabilities of a container, and cannot configure the machine's kernel."""
    script = b"cat /proc/self/status; echo 1 >/proc/sys/kernel/printk_delay; mount -t tmpfs x /work; chroot / true"
    script += b"; echo over"
    maker = BundleMaker(tmp_path / "made")
    for applet in (b"mount", b"chroot", b"true"):
        maker.symlink(b"/bin/" + applet, b"busybox")
    bundle = maker.write(make_run(script, uid=0, gid=0, groups=()))
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", "unpack", "directory", bundle, tmp_path / "target"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    done = run_script(tmp_path / "target", tool="unshare")
    said = done.stderr.decode()
    assert done.stdout.endswith(b"over\n"), said
    (effective,) = (int(line[8:], 16) for line in done.stdout.splitlines() if line.startswith(b"CapEff:"))
    assert [number for number in (12, 16, 17, 18, 19, 21, 22, 25, 27) if effective >> number & 1] == []
    assert effective & 1
    assert b"Seccomp:\t2" in done.stdout
    assert "Read-only file system" in said
    assert said.count("Operation not permitted") + said.count("permission denied") >= 2


@pytest.mark.requires("root")
def test_whoever_did_not_unpack_it_is_told(plain_user: PlainUser, tmp_path: Path) -> None:
    """Root neither runs a user's, nor takes its owners for those recorded."""
    target = give_target(plain_user, tmp_path, make_run(b"id"))
    done = run_script(target)
    assert done.returncode == 125
    assert b"unpacked by a user" in done.stderr


def test_rtrace_replays_resets_and_verifies_it(tmp_path: Path) -> None:
    """A directory target is a chroot target besides, and its own folder is no file that a run has made."""
    maker = BundleMaker(tmp_path / "made")
    bundle = maker.write(make_run(b"echo new >/work/made"), results=(wrote(b"/work/made", b"new\n"),))
    rtrace: tuple[str | Path, ...] = (sys.executable, "-m", "rtrace")
    target = tmp_path / "target"
    steps: tuple[tuple[str | Path, ...], ...]
    steps = (("unpack", "directory", bundle, target), ("replay", target), ("reset", target))
    for words in steps:
        done = subprocess.run([*rtrace, *words], check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert (target / "root/.rtrace").is_dir()
    assert not (target / "root/work/made").exists()
    done = subprocess.run([*rtrace, "verify", "--unpacker", "directory", bundle], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([*rtrace, "destroy", target], check=False).returncode == 0


def test_a_bundle_with_files_where_launchers_appear_is_refused(tmp_path: Path) -> None:
    """Nothing of a bundle is ever started as a launcher."""
    maker = BundleMaker(tmp_path / "made")
    maker.directory(b"/.rtrace")
    bundle = maker.write(make_run(b""))
    command = (sys.executable, "-m", "rtrace", "unpack", "directory", bundle, tmp_path / "target")
    done = subprocess.run(command, check=False, capture_output=True)
    assert b"where rtrace puts launchers" in done.stderr
    assert not (tmp_path / "target").exists()


@pytest.mark.requires("shellcheck")
def test_the_script_is_sound(checkout: Path) -> None:
    """ShellCheck finds nothing, in a shell that has nothing but what POSIX says."""
    script = checkout / "unpackers/rtrace_unpackers/directory" / SCRIPT
    done = subprocess.run(["shellcheck", "--shell=sh", script], check=False, capture_output=True, text=True)
    assert done.stdout == ""
