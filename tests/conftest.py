"""What both lanes of tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from web_server import Server, serve

CHECKOUT = Path(__file__).resolve().parent.parent

# A shell has what it starts in the background ignore these two, and so would all that the tests start.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(scope="session", autouse=True)
def state_home_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the traces of runs that go on, and of tracers that are killed, lie apart from those of who tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
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
