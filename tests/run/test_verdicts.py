"""What differences mean, how other files are told, and which files are outputs unless their author says otherwise."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest


@pytest.mark.parametrize(
    "command",
    [("verify", "x.rpz", "--ignore", ""), *(("pack", option, "") for option in ("--ignore", "--exclude", "--include"))],
    ids=" ".join,
)
def test_empty_pattern_is_refused(command: tuple[str, ...], rtrace: Callable[..., CompletedProcess[bytes]]) -> None:
    """What an unset variable of a shell leaves does not stand for everything."""
    answer = rtrace(*command)
    assert (answer.returncode, b"a pattern must not be empty" in answer.stderr) == (2, True)
