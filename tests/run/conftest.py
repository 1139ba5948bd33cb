"""What tests of real runs share: rtrace in a process of its own, requirements that skip by name, other users."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from plain_user import PlainUser, install_for_everybody, make_plain_user, make_user_with_others
from requirements import missing

REQUIRE_ALL = os.environ.get("RTRACE_REQUIRE_ALL") == "1"


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
