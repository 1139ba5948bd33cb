"""The suite for unpackers: rtrace's own keep every promise, so does that of the README, and faults are found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apptainer_tool import give_apptainer
from plain_user import PlainUser

CHECKOUT = Path(__file__).resolve().parents[2]
SUITE = ("-m", "rtrace_unpackers.conformance")
# What these cannot do: an engine's exec has no further groups, proot does not isolate, bubblewrap limits no output.
UNISOLATED = {"user", "hostname", "no-network", "network", "ports"}
OF_A_USER = {"groups"}

BROKEN = """\
from dataclasses import replace
from rtrace.elsewhere.sources import NO_SOURCES
from rtrace.progress import SILENT
from rtrace.replay.grants import NOTHING
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.chroot.making import Kind, make_target, plan_target
from rtrace_unpackers.chroot.target import ChrootTarget
from rtrace_unpackers.target.removal import remove_tree
from rtrace_unpackers.target.state import read_manifest, read_state


class Target(ChrootTarget):
    def run(self, run, *, grants, **others):
        return super().run(replace(run, umask=0), grants=NOTHING, **others)

    def inspect(self, paths, packed):
        return super().inspect(tuple(paths), packed)

    def destroy(self):
        remove_tree(self.path)


class Unpacker:
    name = summary = "broken"

    def plan(self, bundle, target):
        target.mkdir()
        return plan_target(bundle, target)

    def unpack(self, bundle, target, *, progress=SILENT, sources=NO_SOURCES, throw_away=False):
        return make_target(bundle, target, progress, sources, Kind(self.name))

    def open(self, target):
        folder = TargetFolder(target)
        return Target(folder, read_state(folder, self.name), read_manifest(folder))


UNPACKER = Unpacker()
"""
"""An unpacker with five faults: its plan and its umask, what it hashes and removes, and grants that it forgets."""


def install(site: Path, name: str, code: str) -> Path:
    """Install a distribution of one unpacker into a new folder, as an installer would."""
    information = site / f"rtrace_{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (site / f"rtrace_{name}.py").write_text(code)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rtrace-{name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[rtrace.unpackers]\n{name} = rtrace_{name}:UNPACKER\n")
    return site


def read_endings(said: bytes) -> dict[str, set[str]]:
    """Return the names of the checks by how they ended."""
    found: dict[str, set[str]] = {"ok": set(), "failed": set(), "skipped": set()}
    for check in json.loads(said)["checks"]:
        found[check["ending"]].add(check["name"])
    return found


def judge(*words: str, path: Path | None = None) -> tuple[int, dict[str, set[str]]]:
    """Run the suite; return its exit status and the endings."""
    places = [str(path)] if path else []
    environment = {**os.environ, "PYTHONPATH": ":".join([*places, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, *SUITE, "--json", *words], check=False, capture_output=True, env=environment)
    assert done.stdout, done.stderr.decode()
    return done.returncode, read_endings(done.stdout)


def judge_as(user: PlainUser, *words: str, path: Path | None = None) -> tuple[int, dict[str, set[str]]]:
    """Run the suite as a plain user; return its exit status and the endings."""
    python = user.rtrace.read_text().splitlines()[0].removeprefix("#!")
    places = [str(user.rtrace.parent.parent), *([str(path)] if path else [])]
    done = user.run(python, *SUITE, "--json", *words, env={"PYTHONPATH": ":".join(places)})
    assert done.stdout, done.stderr.decode()
    return done.returncode, read_endings(done.stdout)


@pytest.mark.requires("root", "user-namespaces")
def test_chroot_keeps_its_promises() -> None:
    """Root's targets keep all."""
    assert judge("chroot") == (0, {"ok": list_checks(), "failed": set(), "skipped": set()})


@pytest.mark.requires("root", "user-namespaces", "newuidmap")
def test_chroot_of_a_user_with_others_keeps_its_promises(user_with_others: PlainUser) -> None:
    """So do those of a user with subordinate ids, but for groups that these do not reach."""
    status, found = judge_as(user_with_others, "chroot")
    assert (status, found["failed"]) == (0, set())
    assert found["skipped"] <= OF_A_USER


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("name", ["chroot", "directory"])
def test_targets_of_a_plain_user_keep_their_promises(name: str, plain_user: PlainUser) -> None:
    """A plain user has one group."""
    status, found = judge_as(plain_user, name)
    assert (status, found["failed"], found["skipped"]) == (0, set(), OF_A_USER)


@pytest.mark.requires("proot")
def test_proot_keeps_its_promises(plain_user: PlainUser) -> None:
    """What proot does not isolate, it says."""
    status, found = judge_as(plain_user, "proot")
    assert (status, found["failed"]) == (0, set())
    assert found["skipped"] <= UNISOLATED | OF_A_USER


@pytest.mark.requires("root", "user-namespaces", "newuidmap")
def test_apptainer_keeps_its_promises(user_with_others: PlainUser) -> None:
    """A container of Apptainer's keeps all but further groups, and refuses ports."""
    status, found = judge_as(give_apptainer(user_with_others), "apptainer")
    assert (status, found["failed"]) == (0, set())
    assert found["skipped"] <= OF_A_USER | {"ports"}


@pytest.mark.requires("docker")
def test_docker_keeps_its_promises() -> None:
    """An engine keeps all but further groups."""
    status, found = judge("docker")
    assert (status, found["failed"]) == (0, set())
    assert found["skipped"] <= OF_A_USER


@pytest.mark.requires("bwrap", "user-namespaces")
def test_the_unpacker_of_the_readme_keeps_its_promises(plain_user: PlainUser) -> None:
    """What the README shows is a whole unpacker of a page."""
    (code,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "unpackers/README.md").read_text("utf-8"), re.DOTALL)
    assert len(code.splitlines()) < 90
    site = install(plain_user.home / "site", "bwrap", code)
    plain_user.give(site)
    status, found = judge_as(plain_user, "bwrap", path=site)
    assert (status, found["failed"]) == (0, set())
    assert found["skipped"] <= OF_A_USER | {"network", "ports", "output-limit"}


@pytest.mark.requires("root", "user-namespaces")
def test_faults_are_found(tmp_path: Path) -> None:
    """An unpacker with five faults fails the checks on these, and no others."""
    faults = {"plan", "umask", "inspect-sizes", "destroy-others", "network", "ports"}
    status, found = judge("broken", path=install(tmp_path / "site", "broken", BROKEN))
    assert (status, found["failed"]) == (1, faults)


def list_checks() -> set[str]:
    """Return the names of all checks, as the suite prints them."""
    done = subprocess.run([sys.executable, *SUITE, "--list"], check=True, capture_output=True, text=True)
    return {line.split()[0] for line in done.stdout.splitlines()}
