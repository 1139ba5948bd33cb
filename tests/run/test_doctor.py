"""`rtrace doctor`: what works on a machine is tried, and what does not is named with what it lacks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundle_making import BundleMaker, make_run
from plain_user import PlainUser
from rtrace.answers.schema import make_schema
from rtrace.operations.machine.file_systems import examine_folder
from rtrace.operations.machine.programs import PendingAnswer, Program

Command = Callable[..., subprocess.CompletedProcess[bytes]]
WITHOUT_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'


def by_name(done: subprocess.CompletedProcess[bytes]) -> dict[str, dict[str, Any]]:
    """Return what `doctor --json` answered, by the names of the things."""
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, make_schema("doctor"))
    return {ability["name"]: ability for ability in answer["abilities"]}


def make_program(folder: Path, name: str, script: str) -> None:
    """Write a script that stands in PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_everything_is_told_once(rtrace: Command, tmp_path: Path) -> None:
    """Each thing has a part and a name of its own, and nothing that was tried is left in this folder."""
    done = rtrace("doctor", "--json")
    found = by_name(done)
    assert len(found) == len(json.loads(done.stdout)["abilities"])
    assert {ability["part"] for ability in found.values()} == {"record", "replay", "files", "packages"}
    names = {"trace by notifications", "user namespaces", "overlay mounts", "docker", "podman", "proot", "kvm"}
    assert found.keys() >= names
    assert f"reflinks in {tmp_path}" in found
    assert all(ability["detail"] for ability in found.values() if not ability["works"])
    assert os.listdir(tmp_path) == []
    shown = rtrace("doctor").stdout.decode()
    assert [name for name in found if f" {name}" not in shown] == []


@pytest.mark.requires("unshare", "root")
def test_without_namespaces(tmp_path: Path) -> None:
    """Where namespaces are switched off, doctor and replay name the switch and what does without it."""
    bundle = BundleMaker(tmp_path / "making").write(make_run())
    outside = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", WITHOUT_NAMESPACES, "sh")
    told = []
    for words in (("doctor", "--json"), ("replay", "--unpacker", "chroot", bundle)):
        command = [*outside, sys.executable, "-m", "rtrace", *words]
        told.append(subprocess.run(command, check=False, capture_output=True, cwd=tmp_path))
    ability = by_name(told[0])["user namespaces"]
    assert not ability["works"]
    for sentence in (ability["detail"], told[1].stderr.decode()):
        assert "switched off" in sentence
        assert "sysctl -w user.max_user_namespaces=15000" in sentence
        assert [word for word in ("docker", "Podman", "proot") if word not in sentence] == []
        assert "No space left" not in sentence


def test_programs_that_are_not_there(rtrace: Command, tmp_path: Path) -> None:
    """Without engines in PATH each is named as not installed."""
    make_program(tmp_path / "bin", "true", "exit 0")
    found = by_name(rtrace("doctor", "--json", env={"PATH": str(tmp_path / "bin")}))
    for name in ("docker", "podman", "proot"):
        assert not found[name]["works"]
        assert found[name]["detail"].startswith("it is not installed")


@pytest.mark.parametrize("script, works, word", [
    ("exit 0", True, "good"),
    ("echo chatter >&2; echo no daemon >&2; exit 3", False, "`engine ask` fails: no daemon"),
    ("kill -9 $$", False, "`engine ask` fails"),
])  # fmt: skip
def test_program_that_answers_or_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    works: bool,  # noqa: FBT001
    word: str,
) -> None:
    """An engine is what answers; one that fails is told with its last words."""
    make_program(tmp_path / "bin", "engine", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    ability = PendingAnswer(Program("engine", ("ask",), "good")).finish()
    assert ability.works == works
    assert word in ability.detail


def test_folder_in_which_nobody_can_write() -> None:
    """A folder that takes no file is told of in one line."""
    (ability,) = examine_folder(Path("/proc/self/fdinfo"))
    assert (ability.works, ability.part) == (False, "files")
    assert "/proc/self/fdinfo" in ability.detail


def test_features_of_a_folder(tmp_path: Path) -> None:
    """What a file system can do is what the calls themselves say; nothing is left."""
    abilities = {ability.name.partition(" in ")[0]: ability.works for ability in examine_folder(tmp_path)}
    try:
        (tmp_path / "file").touch()
        os.setxattr(tmp_path / "file", "user.test", b"1")
        supported = True
    except OSError:
        supported = False
    (tmp_path / "file").unlink()
    assert abilities["extended attributes"] == supported
    assert abilities.keys() == {"files without a name", "reflinks", "sparse files", "extended attributes", "ACLs"}
    assert os.listdir(tmp_path) == []


@pytest.mark.requires("root", "user-namespaces")
def test_plain_user_is_told(plain_user: PlainUser) -> None:
    """Whoever is not root gets answers, too."""
    done = plain_user.run(plain_user.rtrace, "doctor", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert {ability["name"]: ability["works"] for ability in answer["abilities"]}["user namespaces"]
