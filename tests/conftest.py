"""What both lanes of tests share."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from odd_registry import OddRegistry, serve_odd_registry
from web_server import Server, serve

CHECKOUT = Path(__file__).resolve().parent.parent
ROOTS = [str(CHECKOUT / "tracer"), str(CHECKOUT / "unpackers")]


def find_installed() -> str:
    """Return where a Python that is started anew finds rtrace; empty where it does not."""
    program = "import rtrace; print(rtrace.__path__[0])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
    )
    return done.stdout.strip()


if not find_installed().startswith(ROOTS[0]):  # so that `python -m rtrace` is the one of this checkout
    os.environ["PYTHONPATH"] = ":".join([*ROOTS, *filter(None, [os.environ.get("PYTHONPATH")])])

# What a shell starts in the background ignores the first two, what nohup(1) starts the last one, and so would all that
# the tests start.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def state_home_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the traces of runs that go on, and of tracers that are killed, lie apart from those of who tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("RTRACE_CACHE", str(tmp_path_factory.mktemp("trees")))
        yield


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds pyproject.toml."""
    return CHECKOUT


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server that is there while the test runs."""
    with serve() as told:
        yield told


@pytest.fixture
def registry() -> Iterator[OddRegistry]:
    """A registry that is there while the test runs."""
    with serve_odd_registry() as told:
        yield told
