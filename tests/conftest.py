"""What tests share: a requirement that is missing skips by name, and a way to be an unprivileged user."""

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from plain_user import PlainUser, install_for_everybody, make_plain_user, make_user_with_others

REQUIRE_ALL = os.environ.get("RTRACE_REQUIRE_ALL") == "1"
CHECKOUT = Path(__file__).resolve().parent.parent

# A shell has what it starts in the background ignore these two, and so would all that the tests start.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@functools.cache
def answers(*argv: str) -> bool:
    """Tell whether a command exists and succeeds."""
    try:
        return subprocess.run(argv, check=False, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_modules() -> Path | None:
    """Give the file by which a shell gets the command `module`, as Debian's packages have it."""
    places = ("/usr/share/modules/init/bash", "/usr/share/lmod/lmod/init/bash")
    return next((path for path in map(Path, places) if path.exists()), None)


def missing(name: str) -> str | None:
    """Say what one requirement lacks on this machine; None when it is met."""
    match name:
        case "root":
            return None if os.geteuid() == 0 else "needs root: run it with sudo"
        case "docker":
            return None if answers("docker", "info") else "needs a Docker engine that answers `docker info`"
        case "user-namespaces":
            met = answers("unshare", "--user", "--map-root-user", "--mount", "true")
            return None if met else "needs user namespaces that a plain user may create"
        case "modules":
            return None if find_modules() else "needs Environment Modules or Lmod"
        case "eggs" | "easybuild" | "rattler":
            met = (CHECKOUT / f".bench/{name}/.whole").exists()
            return None if met else f"needs .bench/{name}, which scripts/test makes"
        case command:
            return None if shutil.which(command) else f"needs the command {command}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose requirements are missing; where everything was promised, fail it instead.

    A right that cannot be installed (root) skips in either case.
    """
    names: list[str] = [name for mark in item.iter_markers("requires") for name in mark.args]
    for name in names:
        reason = missing(name)
        if reason and REQUIRE_ALL and name != "root":
            pytest.fail(f"{reason} (RTRACE_REQUIRE_ALL=1 forbids skipping)", pytrace=False)
        if reason:
            pytest.skip(reason)


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
def rtrace(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the command line in a process of its own, in `tmp_path` unless told otherwise, without a terminal."""

    def run(
        *arguments: str | bytes | Path, cwd: Path = tmp_path, env: Mapping[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "rtrace", *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def everybodys_rtrace() -> Iterator[Path]:
    """An `rtrace` launcher that any user of this machine can run, wherever checkout and Python live."""
    with install_for_everybody() as launcher:
        yield launcher


@pytest.fixture
def plain_user(everybodys_rtrace: Path) -> Iterator[PlainUser]:
    """Somebody without privileges, with a home of their own and an rtrace that they can run."""
    with make_plain_user(everybodys_rtrace) as user:
        yield user


@pytest.fixture
def user_with_others(everybodys_rtrace: Path) -> Iterator[PlainUser]:
    """A plain user who may be several users inside a namespace: with subordinate ids."""
    with make_user_with_others(everybodys_rtrace) as user:
        yield user
