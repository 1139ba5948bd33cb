"""The fixtures of each system call interface against this machine's headers, and calls that are odd.

`fixtures/kernel-interfaces` is what the headers say, see `scripts/lib/kernel_interfaces.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernel_headers import read_headers
from kernel_interfaces import read_calls
from observing import Observation, observe

INTERFACES = ("x86_64", "i386", "aarch64", "arm")

MACHINE = os.uname().machine


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest) -> str:
    """One interface's name."""
    return str(request.param)


@pytest.mark.requires("gcc")
@pytest.mark.skipif(MACHINE not in ("x86_64", "aarch64"), reason="compiles for this machine's interfaces")
def test_fixtures_are_what_this_machines_headers_say() -> None:
    """The numbers in the fixture are those of the headers that programs are compiled with here."""
    theirs = read_calls(["gcc"])
    fixture = read_headers(MACHINE).calls
    assert len(theirs) > 200
    assert {name: fixture.get(name) for name in theirs} == theirs


def own_environment() -> dict[str, str]:
    """Return an environment in which a Python finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.requires("gcc")
@pytest.mark.skipif(MACHINE != "x86_64", reason="needs a second interface that gcc compiles for")
def test_program_of_an_unknown_interface_is_told(tmp_path: Path) -> None:
    """A program whose calls run unseen, because its interface has no table here, is named in a notice."""
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 7; }\n")
    subprocess.run(["gcc", "-m32", "-o", tmp_path / "program", source], check=True)
    script = (
        "import sys; from rtrace.linux import interfaces; interfaces.SPOKEN['x86_64'] = ('x86_64',);"
        f"sys.argv[1:] = ['trace', '-q', '-d', {str(tmp_path / 'trace')!r}, '--', {str(tmp_path / 'program')!r}];"
        "from rtrace.cli import main; main()"
    )
    completed = subprocess.run(
        [sys.executable, "-c", script], env=own_environment(), capture_output=True, check=False, timeout=120
    )
    assert completed.returncode == 7, completed.stderr
    (notice,) = Observation(completed, tmp_path / "trace").rows("SELECT kind, what FROM notices")
    assert notice["kind"] == "unseen"
    assert notice["what"].startswith("program is built for a system call interface")


ODD_CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for call in ((-1, 5), (437, -100, b"input", ctypes.c_void_p(-1), 24), (439, -100, ctypes.c_void_p(-1), 0, 0)):
    print(libc.syscall(*call), ctypes.get_errno())
"""


@pytest.mark.parametrize("engine", ["notify", "seccomp", "stops"])
def test_odd_calls_get_the_kernels_own_answer(engine: str, tmp_path: Path) -> None:
    """A negative number, and addresses that no file offset can hold, are answered by the kernel, without a notice."""
    environment = {**os.environ, "RTRACE_ENGINE": engine}
    observation = observe(tmp_path / "trace", sys.executable, "-c", ODD_CALLS, env=environment)
    assert observation.completed.stdout == b"-1 38\n-1 14\n-1 14\n"
    assert observation.rows("SELECT kind FROM notices") == []
