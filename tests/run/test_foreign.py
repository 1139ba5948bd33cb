"""A bundle for another kind of processor: refused at once, and emulated when a person asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace_unpackers.engines.image.launcher import build_launcher

pytestmark = [
    pytest.mark.requires("busybox", "root", "user-namespaces", "qemu-aarch64-static"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="aarch64 is the other kind of processor here"),
]

MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
REGISTER = """\
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77
printf %s "$1" >/proc/sys/fs/binfmt_misc/register || exit 77
shift
exec "$@"
"""
"""Since Linux 6.7 a user namespace has emulators of its own, which concern nobody else."""


def make(folder: Path) -> Path:
    """Make a bundle of a program for aarch64: the launcher of a run, which says that it cannot enter a folder."""
    program = build_launcher(make_run(architecture="aarch64", workingdir=b"/absent"))
    maker = BundleMaker(folder / "made")
    maker.file(b"/bin/other", program, mode=0o755)
    return maker.write(make_run(binary=b"/bin/other", argv=(b"other",), architecture="aarch64"))


def test_it_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """By replay and verify; to unpack it is told."""
    bundle = make(tmp_path)
    for words in (("replay", bundle), ("verify", bundle), ("replay", "--unpacker", "docker", bundle)):
        done = subprocess.run([sys.executable, "-m", "rtrace", *words], check=False, capture_output=True)
        assert done.returncode == 125
        assert b"run1 has programs for aarch64, and this machine is x86_64; --emulate" in done.stderr
    unpacking = (sys.executable, "-m", "rtrace", "unpack", "chroot", bundle, tmp_path / "target")
    done = subprocess.run(unpacking, check=False, capture_output=True)
    assert b"run1 has programs for aarch64" in done.stderr
    assert done.returncode == 0


def test_it_is_emulated_when_asked(tmp_path: Path) -> None:
    """By the emulator that the kernel has, inside the namespaces; without one, the sentence says what to install."""
    bundle = make(tmp_path)
    rtrace = (sys.executable, "-m", "rtrace", "replay", "--unpacker", "chroot", "--emulate", bundle)
    namespaces = ("unshare", "--user", "--map-root-user", "--mount")
    emulator = f":qemu-aarch64:M::{MAGIC}:{MASK}:/usr/bin/qemu-aarch64-static:F"
    done = subprocess.run(
        [*namespaces, "sh", "-c", REGISTER, "sh", emulator, *rtrace], check=False, capture_output=True
    )
    if done.returncode == 77:
        pytest.skip("needs Linux 6.7, where a user namespace has emulators of its own")
    assert done.returncode == 125, done.stderr
    assert b"rtrace: cannot enter the working directory /absent\n" in done.stderr
    if not Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        done = subprocess.run(rtrace, check=False, capture_output=True)
        assert b"install qemu-user-static" in done.stderr
