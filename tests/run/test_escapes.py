"""Thirty ways out of a replay, of fixtures/programs/escape.c, tried on every target that isolates: none leads out."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from besieged import Besieged, besieged, read
from bundle_making import BundleMaker, make_run, wrote
from docker_making import docker
from emulators import need_machine_kernel
from plain_user import PlainUser
from podman_storage import own_podman
from rtrace.exports.protocol import Exporting
from rtrace.opening import open_bundle
from rtrace.operations.export import expect
from rtrace_unpackers.oci import EXPORTER
from rtrace_unpackers.oci.configuration import name_image
from static_programs import build_static

pytestmark = [pytest.mark.requires("root", "busybox", "gcc", "user-namespaces"), pytest.mark.xdist_group("escapes")]

ATTEMPTS = 29
NAMED = b"\x1b]0;owned"
"""How a file's name begins that a terminal would obey."""


@pytest.fixture(scope="module")
def program(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program that tries, static."""
    return build_static(checkout, "escape", tmp_path_factory.mktemp("escape"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a bundle and a target; pytest cannot remove what the program leaves."""
    made = tempfile.mkdtemp(prefix="rtrace-escapes-", dir="/var/tmp")
    yield Path(made)
    subprocess.run(["rm", "-rf", made], check=True)


@pytest.fixture
def machine() -> Iterator[Besieged]:
    """This machine, with secrets in it."""
    with besieged() as made:
        yield made


def make_bundle(folder: Path, program: bytes, machine: Besieged) -> Path:
    """Write a bundle of the program, run by root, that says of links out that they were files with the secret."""
    maker = BundleMaker(folder)
    maker.file(b"/bin/escape", program, mode=0o6755, uid=0)
    for path in (b"/etc", b"/var", b"/tmp", b"/run", b"/usr"):
        maker.directory(path, mode=0o777, uid=0)
    maker.file(b"/etc/passwd", b"root:x:0:0::/:/bin/sh\n", uid=0)
    run = make_run(binary=b"/bin/escape", argv=(b"escape", *machine.words), uid=0, gid=0, groups=())
    results = [
        wrote(path, machine.secret) for path in (b"/work/link-out", b"/work/folder-out/secret", b"/work/hard-out")
    ]
    return maker.write(run, results=tuple(results))


def judge(done: subprocess.CompletedProcess[bytes], machine: Besieged, target: str) -> None:
    """Demand that all was tried, that nothing got out, and that nothing of outside counts as a result."""
    said = done.stdout + done.stderr
    assert machine.list_damage(said) == []
    assert said.count(b" end 0\n") + said.count(b" end 14\n") + said.count(b" end 9\n") >= ATTEMPTS - 4, said[-3000:]
    assert b"tried" in said, said[-3000:]
    unjudged = target == "vm" and b"the files cannot all be read" in said  # of folders as deep as these
    assert done.returncode == (125 if unjudged else 1), said[-3000:]
    assert b"same       /work/" not in done.stdout
    if target != "image":
        assert b"\x1b" not in done.stdout


def verify(unpacker: str, bundle: Path, user: PlainUser | None = None) -> subprocess.CompletedProcess[bytes]:
    """Verify, as root or a user."""
    words = ("verify", "--no-history", "--all", "--timeout", "300", "--unpacker", unpacker, bundle)
    if user is not None:
        own = user.home / "escape.rpz"
        own.write_bytes(bundle.read_bytes())
        user.give(own)
        return user.run(user.rtrace, *words[:-1], own)
    environment = {**os.environ, "RTRACE_VM_ACCELERATOR": "tcg"}
    argv = [sys.executable, "-m", "rtrace", *map(str, words)]
    return subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=900
    )


def test_none_leads_out_of_a_chroot(program: bytes, machine: Besieged, folder: Path) -> None:
    """Of root's namespaces."""
    judge(verify("chroot", make_bundle(folder, program, machine)), machine, "chroot")


def test_none_leads_out_of_a_users_chroot(
    program: bytes, machine: Besieged, folder: Path, plain_user: PlainUser
) -> None:
    """Of a plain user's namespaces."""
    judge(verify("chroot", make_bundle(folder, program, machine), plain_user), machine, "chroot")


@pytest.mark.requires("newuidmap")
def test_none_leads_out_of_a_chroot_of_a_user_with_others(
    program: bytes, machine: Besieged, folder: Path, user_with_others: PlainUser
) -> None:
    """Of the namespaces of a user with subordinate ids."""
    judge(verify("chroot", make_bundle(folder, program, machine), user_with_others), machine, "chroot")


@pytest.mark.requires("docker")
def test_none_leads_out_of_docker(program: bytes, machine: Besieged, folder: Path) -> None:
    """Of a container of Docker's."""
    judge(verify("docker", make_bundle(folder, program, machine)), machine, "docker")


@pytest.mark.requires("podman")
@pytest.mark.xdist_group("podman")
def test_none_leads_out_of_podman(program: bytes, machine: Besieged, folder: Path) -> None:
    """Of a container of Podman's."""
    bundle = make_bundle(folder, program, machine)
    with (
        tempfile.TemporaryDirectory(prefix="rtrace-podman-", dir="/var/tmp", ignore_cleanup_errors=True) as storage,
        own_podman(Path(storage)),
    ):
        judge(verify("podman", bundle), machine, "podman")


@pytest.mark.requires("docker")
def test_none_leads_out_of_an_image(program: bytes, machine: Besieged, folder: Path) -> None:
    """Of an exported one that Docker starts as the documentation says."""
    with open_bundle(make_bundle(folder, program, machine)) as opened:
        image = EXPORTER.export(Exporting(opened, lambda: expect(opened)), folder / "image.tar")
    docker("load", "--input", str(image.target))
    name = name_image(image.identity)
    try:
        argv = ["docker", "run", "--rm", "--network", "none", name, "verify"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300)
        judge(done, machine, "image")
    finally:
        docker("image", "rm", "--force", name)


@pytest.mark.requires("qemu-system-x86_64", "qemu-img", "mke2fs")
def test_none_leads_out_of_a_machine(program: bytes, machine: Besieged, folder: Path) -> None:
    """Of one that is emulated."""
    need_machine_kernel()
    judge(verify("vm", make_bundle(folder, program, machine)), machine, "vm")


def test_what_is_left_in_a_tree_is_nobodys(program: bytes, machine: Besieged, folder: Path) -> None:
    """Root's chroot has no device, nobody else gets to a set-uid file in it, and no link leads a download out."""
    bundle, target = make_bundle(folder / "made", program, machine), folder / "target"
    rtrace = [sys.executable, "-m", "rtrace"]
    subprocess.run([*rtrace, "unpack", "-q", "chroot", bundle, target], check=True)
    done = subprocess.run([*rtrace, "run", target], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert machine.list_damage(done.stdout + done.stderr) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    for place, _, names in os.walk(target / "root"):
        for name in names:
            status = os.lstat(os.path.join(place, name))
            assert stat.S_IFMT(status.st_mode) not in {stat.S_IFCHR, stat.S_IFBLK}, name
    for path in ("/work/link-out", "/work/folder-out/secret"):
        done = subprocess.run([*rtrace, "download", target, f"{path}:-"], capture_output=True, check=False)
        assert machine.secret not in done.stdout + done.stderr
        assert done.returncode != 0
    subprocess.run([*rtrace, "destroy", "-q", target], check=True)
    assert not target.exists()


def test_what_gets_out_is_found(program: bytes, machine: Besieged, folder: Path) -> None:
    """Started by itself, as nobody, the program gets at secrets, and this is told."""
    (folder / "escape").write_bytes(program)
    (folder / "escape").chmod(0o755)
    folder.chmod(0o755)
    (folder / "work").mkdir(mode=0o777)
    (folder / "work").chmod(0o777)
    words = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--", str(folder / "escape")]
    words += map(os.fsdecode, machine.words)
    done = subprocess.run(words, cwd=folder / "work", stdin=subprocess.DEVNULL, capture_output=True, check=False)
    found = " ".join(machine.list_damage(done.stdout))
    for what in ("the secret was read", "the folder was changed", "something came to", "goes on"):
        assert what in found, found
    assert read(machine.folder / "secret") != machine.secret
