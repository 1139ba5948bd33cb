"""A docker target's state can name nothing that was not made for it; what killed processes left is told by labels."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundle_making import BundleMaker, make_run
from docker_making import docker, list_things, made_target, replay
from rtrace.errors import TargetError
from rtrace.replay.protocol import STATE_FILE
from rtrace_unpackers.engines.belonging import leftovers, possessions
from rtrace_unpackers.engines.belonging.identity import BUILDING_LABEL, FOLDER_LABEL, MAKER_LABEL, TARGET_LABEL
from rtrace_unpackers.engines.belonging.leftovers import list_leftovers
from rtrace_unpackers.engines.docker import UNPACKER
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.target import DockerTarget

pytestmark = [pytest.mark.requires("busybox", "docker"), pytest.mark.xdist_group("docker-belonging")]

RUN = make_run(b"echo x > new; echo ran")


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


@dataclass(frozen=True)
class World:
    """An image and a container of somebody else, both of one name, another target, and the one that is doctored."""

    folder: Path
    canary: str
    victim: DockerTarget
    target: DockerTarget


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What a doctored state could reach; in the end all of it is still there, and works."""
    folder = tmp_path_factory.mktemp("world")
    name = f"canary-world-{os.getpid()}"
    for part in ("canary", "victim", "own"):
        (folder / part).mkdir()
    (folder / "canary/Dockerfile").write_text('FROM scratch\nLABEL of=somebody\nCMD ["/none"]\n')
    docker("build", "--tag", f"{name}:latest", str(folder / "canary"))
    docker("create", "--name", name, f"{name}:latest")
    maker = BundleMaker(folder / "made")
    try:
        with made_target(maker, folder / "victim", RUN) as victim, made_target(maker, folder / "own", RUN) as target:
            replay(victim, RUN)
            yield World(folder, name, victim, target)
            assert replay(victim, RUN)[1] == b"ran\n"
        assert docker("container", "inspect", "--format", "{{.Name}}", name) == f"/{name}"
        assert docker("image", "inspect", "--format", "{{.Config.Labels.of}}", f"{name}:latest") == "somebody"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        subprocess.run(["docker", "rmi", "--force", f"{name}:latest"], check=False, capture_output=True)


def doctor_state(target: DockerTarget, facts: dict[str, Any]) -> None:
    """Change what a target's state says."""
    path = target.path / STATE_FILE
    content = json.loads(path.read_bytes())
    content["facts"].update(facts)
    path.write_text(json.dumps(content))


DOCTORED: dict[str, Callable[[World], dict[str, Any]]] = {
    "image": lambda world: {"image": f"{world.canary}:latest"},
    "image-id": lambda world: {"image": docker("image", "inspect", "--format", "{{.Id}}", world.canary)},
    "container": lambda world: {"container": world.canary},
    "container-id": lambda world: {"container": docker("inspect", "--format", "{{.Id}}", world.canary)},
    "option": lambda _: {"image": "--all"},
    "option-container": lambda _: {"container": "--force"},
    "empty": lambda _: {"image": "", "container": ""},
    "line": lambda world: {"image": f"{world.victim.identity.image}\n{world.canary}"},
    "label": lambda _: {"target": "of"},
    "no-label": lambda _: {"target": ""},
    "pattern": lambda _: {"target": "*" * 32},
    "victims-image": lambda world: {"image": world.victim.identity.image},
    "victims-container": lambda world: {"container": world.victim.identity.container},
    "victims-number": lambda world: {**world.victim.identity.to_facts(), "image": world.target.identity.image},
    "victims-everything": lambda world: world.victim.identity.to_facts(),
}


@pytest.mark.parametrize("how", DOCTORED)
def test_doctored_state_reaches_nobody_elses(how: str, world: World) -> None:
    """A state that names another's image, container or number gets one sentence, by every command; nothing goes."""
    state = world.target.path / STATE_FILE
    kept = state.read_bytes()
    try:
        doctor_state(world.target, DOCTORED[how](world))
        before = list_things(world.folder)
        for use in (
            lambda doctored: doctored.destroy(),
            lambda doctored: replay(doctored, RUN),
            lambda doctored: doctored.inspect([], []),
        ):
            with pytest.raises(TargetError, match=r"nothing was touched|made by an older rtrace"):
                use(UNPACKER.open(world.target.path))
        assert list_things(world.folder) == before
        assert (world.target.path / "launchers.tar").exists()
    finally:
        state.write_bytes(kept)


def test_moved_target_keeps_what_is_its_own(maker: BundleMaker, tmp_path: Path) -> None:
    """A target that is moved, or copied and then removed, is the same one; a copy beside it is refused."""
    target = UNPACKER.open(UNPACKER.unpack(maker.write(RUN), tmp_path / "target").target)
    replay(target, RUN)
    shutil.copytree(target.path, tmp_path / "copy")
    with pytest.raises(TargetError, match="of the target"):
        UNPACKER.open(tmp_path / "copy").destroy()
    shutil.rmtree(target.path)
    assert not any(tmp_path in left.folder.parents for left in list_leftovers())
    os.rename(tmp_path / "copy", tmp_path / "moved")
    moved = UNPACKER.open(tmp_path / "moved")
    assert replay(moved, RUN)[1] == b"ran\n"
    moved.destroy()
    assert list_things(tmp_path) == frozenset()


def test_persons_own_container_and_name_stay(maker: BundleMaker, tmp_path: Path) -> None:
    """A container that a person made of the image keeps it from being removed; a name that they gave it stays."""
    target = UNPACKER.open(UNPACKER.unpack(maker.write(RUN), tmp_path / "target").target)
    image = target.identity.image
    docker("create", "--name", "persons-own", image)
    try:
        with pytest.raises(TargetError, match=r"rmi` failed: .*(?i:in use|is using|conflict)"):
            target.destroy()
        assert target.path.exists()
        assert not any(tmp_path in left.folder.parents for left in list_leftovers())
    finally:
        docker("rm", "persons-own")
    docker("tag", image, "persons-own:name")
    try:
        target.destroy()
        assert not target.path.exists()
        assert docker("image", "inspect", "--format", "{{.RepoTags}}", "persons-own:name") == "[persons-own:name]"
    finally:
        docker("rmi", "persons-own:name")


def test_image_that_a_person_built_is_used_and_left(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacked without an engine and built by the command of the note, the image is replayed, and not rtrace's to
    remove.
    """  # noqa: D205 - one sentence
    run = make_run(b"echo built", id="built")  # another bundle than the others': the command takes the image's name
    with monkeypatch.context() as without:
        without.setenv("RTRACE_DOCKER", "/nonexistent/engine")
        unpacked = UNPACKER.unpack(maker.write(run), tmp_path / "target")
    command = unpacked.notes[0].split("`")[3].replace("/nonexistent/engine", "docker")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    target = UNPACKER.open(unpacked.target)
    try:
        assert list_things(tmp_path) == frozenset()
        assert replay(target, run)[1] == b"built\n"
        assert len(list_things(tmp_path)) == 1  # the container
        target.destroy()
        assert docker("images", "--quiet", target.identity.image)
    finally:
        docker("rmi", target.identity.image)


MAKER = f"test-{os.getpid()}@here"
"""Nobody else who cleans meanwhile is this."""


def make_image_of_nobody(folder: Path, *, number: str, **labels: str) -> str:
    """Make an image with the labels that a killed process would have left; return its id."""
    (folder / "nobodys").mkdir(exist_ok=True)
    (folder / "nobodys/Dockerfile").write_text('FROM scratch\nCMD ["/none"]\n')
    every = {TARGET_LABEL: number, MAKER_LABEL: MAKER, **labels}
    words = [f"--label={name}={value}" for name, value in every.items()]
    return docker("build", "--quiet", *words, str(folder / "nobodys"))


def test_leftovers_of_others_are_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of images without a name whose folder is gone, only those are removed that this user made on this machine."""
    gone = str(tmp_path / "gone")
    labels = {FOLDER_LABEL: gone, BUILDING_LABEL: f"{tmp_path}/.rtrace-incomplete-x"}
    foreign = {**labels, MAKER_LABEL: f"{MAKER}.elsewhere"}
    hidden = {**labels, FOLDER_LABEL: str(tmp_path / "canary/there")}
    (tmp_path / "canary/there").mkdir(parents=True)
    images = [
        make_image_of_nobody(tmp_path, number="1" * 32, **labels),
        make_image_of_nobody(tmp_path, number="2" * 32, **foreign),
        make_image_of_nobody(tmp_path, number="3" * 32, **hidden),
        make_image_of_nobody(tmp_path, number="not-a-number", **labels),
    ]
    monkeypatch.setattr(leftovers, "name_maker", lambda: MAKER)
    try:
        assert [left.number for left in list_leftovers()] == ["1" * 32]
        assert UNPACKER.list_leftovers() == (f"1 image of {gone}",)
        assert UNPACKER.clean() == (f"1 image of {gone}",)
        assert set(images) & set(docker("images", "--all", "--quiet", "--no-trunc").split()) == set(images[1:])
        monkeypatch.setattr(leftovers, "name_maker", lambda: f"{MAKER}.elsewhere")
        assert [left.number for left in list_leftovers()] == ["2" * 32]
    finally:
        subprocess.run(["docker", "rmi", *images], check=False, capture_output=True)


def test_failing_unpack_takes_its_image_along(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a target cannot get its name after its image was made, the image goes as the folder does."""
    made = []

    def make_and_remember(*arguments: Any) -> Thing:
        image = possessions.make_image(*arguments)
        made.append(image.id)
        (tmp_path / "target").mkdir()
        return image

    monkeypatch.setattr("rtrace_unpackers.engines.making.make_image", make_and_remember)
    with pytest.raises(TargetError, match="by somebody else"):
        UNPACKER.unpack(maker.write(RUN), tmp_path / "target")
    assert len(made) == 1
    assert list_things(tmp_path) == frozenset()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "target"]


UNPACK_AND_WAIT = """\
import os, sys
from pathlib import Path
from rtrace_unpackers.engines import making
from rtrace_unpackers.engines.docker import UNPACKER
name = making.name_possession
def wait(*arguments):
    if sys.argv[3] == "unnamed":
        os.write(1, b"made")
        os.read(0, 1)
    name(*arguments)
making.name_possession = wait
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
target.run(target.runs()[0])
os.write(1, b"made")
os.read(0, 1)
"""


@pytest.mark.parametrize("when", ["unnamed", "used"])
def test_throw_away_target_is_left_alone_while_its_maker_lives(
    when: str, maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `run BUNDLE` or `verify` makes is a leftover as soon as its maker is dead, and not before."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    workspace = tmp_path / "rtrace-verify-0123abcd"
    workspace.mkdir()
    command = (sys.executable, "-c", UNPACK_AND_WAIT, maker.write(RUN), workspace / "target", when)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        seen = b""
        while not seen.endswith(b"made"):
            part = process.stdout.read(4)
            assert part, "the process that unpacks has ended"
            seen += part
        assert not any(tmp_path in left.folder.parents for left in list_leftovers())
        process.kill()
        process.wait()
    assert len([left for left in UNPACKER.clean() if str(tmp_path) in left]) == 1
    assert not workspace.exists()
    assert list_things(tmp_path) == frozenset()
