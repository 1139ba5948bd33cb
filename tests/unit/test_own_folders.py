"""Where a user's own folders are."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from rtrace.files.folders import find_own_folder
from rtrace.record.history.place import own_folder
from rtrace.record.keeping.configuration import find_configuration
from rtrace.registry.credentials import list_files
from rtrace.registry.sessions import find_root
from rtrace.replay.register import find_register

PLACES: dict[str, Callable[[], Path]] = {
    "history": own_folder,
    "targets": find_register,
    "uploads": find_root,
    "credentials": lambda: list_files()[-1],
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing names a folder."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "RTRACE_CONFIG", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("place", PLACES)
def test_an_empty_home_is_not_the_root_folder(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HOME does not say, the account does: nothing is looked for, or made, in the root folder."""
    monkeypatch.setattr(
        pwd, "getpwuid", lambda _uid: pwd.struct_passwd(("ada", "x", 7, 7, "", "/homes/ada", "/bin/sh"))
    )
    monkeypatch.setenv("HOME", "")
    assert PLACES[place]().is_relative_to("/homes/ada")
    monkeypatch.setenv("HOME", "/another")
    assert PLACES[place]().is_relative_to("/another")


def test_settings_are_not_looked_for_in_the_root_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A configuration file is found in the account's home, too."""
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: pwd.struct_passwd(("ada", "x", 7, 7, "", str(tmp_path), "")))
    monkeypatch.setenv("HOME", "")
    assert find_configuration() is None
    (tmp_path / ".config/rtrace").mkdir(parents=True)
    (tmp_path / ".config/rtrace/config.yml").touch()
    assert find_configuration() == os.path.join(tmp_path, ".config/rtrace/config.yml")


def test_a_variable_names_an_absolute_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path does not count, as the specification says."""
    monkeypatch.setenv("HOME", "/homes/ada")
    monkeypatch.setenv("XDG_STATE_HOME", "states")
    assert find_own_folder("XDG_STATE_HOME") == Path("/homes/ada/.local/state")
    monkeypatch.setenv("XDG_STATE_HOME", "/states")
    assert find_own_folder("XDG_STATE_HOME") == Path("/states")
