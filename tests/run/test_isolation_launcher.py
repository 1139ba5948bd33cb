"""The launcher and the filter of calls: what they are made of, and that it is what the sources and tables say."""

import errno
import os
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from rtrace_unpackers.isolation.kernel.libc import make_sealed
from rtrace_unpackers.isolation.planning.image import build_image
from rtrace_unpackers.isolation.planning.machine_code import LAUNCHERS
from rtrace_unpackers.isolation.planning.steps import EVERY_SIGNAL, Stage, Step, Steps

ASSEMBLERS = {
    "x86_64": (("as", "--64"), ("ld", "-m", "elf_x86_64"), "objcopy"),
    "aarch64": (("aarch64-linux-gnu-as",), ("aarch64-linux-gnu-ld",), "aarch64-linux-gnu-objcopy"),
}


@pytest.mark.parametrize("architecture", sorted(ASSEMBLERS))
def test_machine_code_is_what_the_sources_say(architecture: str, checkout: Path, tmp_path: Path) -> None:
    """The launchers' machine code is what an assembler makes of the sources beside it."""
    assemble, link, extract = ASSEMBLERS[architecture]
    for name in (assemble[0], extract):
        if shutil.which(name) is None:
            pytest.skip(f"needs the command {name}, a cross-assembler that few have")
    source = checkout / f"unpackers/rtrace_unpackers/isolation/launcher/{architecture}.S"
    commands: tuple[tuple[str | Path, ...], ...] = (
        (*assemble, "-o", tmp_path / "object", source),
        (*link, "-Ttext=0x400100", "-o", tmp_path / "linked", tmp_path / "object"),
        (extract, "-O", "binary", "-j", ".text", tmp_path / "linked", tmp_path / "text"),
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "text").read_bytes() == LAUNCHERS[architecture].text


@pytest.mark.skipif(platform.machine() not in LAUNCHERS, reason="there is no launcher for this machine")
def test_launcher_makes_its_steps_and_reports(tmp_path: Path) -> None:
    """A step that fails is reported with stage and errno and ends the program; without a stage it is passed over."""
    steps = Steps(
        before=(Step("close", (99,)), Step("rt_sigprocmask", (0, EVERY_SIGNAL, 0, 8))),
        program=(Step("close", (98,)), Step("openat", (-100, b"/absent", 0), Stage.STDIN), Step("umask", (0,))),
        after=(),
    )
    launcher = make_sealed(b"test", build_image(platform.machine(), steps))
    with pytest.raises(PermissionError):
        os.write(launcher, b"x")
    report, end = os.pipe()
    process = subprocess.Popen(
        ["bash", "-c", f"exec /proc/self/fd/{launcher} 3>&{end}"], pass_fds=(launcher, end), cwd=tmp_path
    )
    os.close(end)
    os.close(launcher)
    assert process.wait() == 0
    expected = struct.pack("=iIiI", Stage.STDIN, errno.ENOENT, Stage.ENDED, 1 << 8)
    assert os.read(report, 100) == expected
    os.close(report)
