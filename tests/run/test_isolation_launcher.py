"""The launcher of a replay in namespaces, as it runs."""

import errno
import os
import platform
import struct
import subprocess
from pathlib import Path

import pytest

from rtrace_unpackers.isolation.kernel.executing import make_sealed
from rtrace_unpackers.isolation.planning.first_program import build_first_program
from rtrace_unpackers.isolation.planning.steps import EVERY_SIGNAL, Stage, Step, Steps
from rtrace_unpackers.launchers.machine_code import CODE


@pytest.mark.skipif(("namespaces", platform.machine()) not in CODE, reason="there is no launcher for this machine")
def test_launcher_makes_its_steps_and_reports(tmp_path: Path) -> None:
    """A step that fails is reported with stage and errno and ends the program; without a stage it is passed over."""
    steps = Steps(
        before=(Step("close", (99,)), Step("rt_sigprocmask", (0, EVERY_SIGNAL, 0, 8))),
        program=(Step("close", (98,)), Step("openat", (-100, b"/absent", 0), Stage.STDIN), Step("umask", (0,))),
        after=(),
    )
    launcher = make_sealed(b"test", build_first_program(platform.machine(), steps))
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
