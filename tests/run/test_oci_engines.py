"""Images in a file, as engines and tools that know nothing of rtrace take them: they replay and verify themselves."""

import json
import os
import resource
import shlex
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundle_making import USER, BundleMaker, digest, make_run, wrote
from docker_making import docker
from rtrace.bundle.entry import FileType, Result
from rtrace.bundle.protocol import Exported
from rtrace.exports.protocol import Exporting
from rtrace.manifest.model import Output, Run
from rtrace.opening import open_bundle
from rtrace.operations.export import expect
from rtrace_unpackers.oci import EXPORTER
from rtrace_unpackers.oci.configuration import name_image

pytestmark = [pytest.mark.requires("busybox"), pytest.mark.xdist_group("images")]  # which are the same in all tests

LATE = b"umask 022; echo late > /work/late; chmod 600 /work/late"
TELL = b"id -u; id -G; umask; cat data; echo oh >&2; ln -s data link; rm gone; cat data > out; exit 3"
TOLD = b"%d\n%d\n0027\nthe data\n" % (USER, USER)
RUNS = (
    make_run(
        TELL,
        umask=0o027,
        exit_code=3,
        stdout=Output("pipe", len(TOLD), digest(TOLD)),
        stderr=Output("pipe", 3, digest(b"oh\n")),
    ),
    make_run(LATE, id="late", uid=0, gid=0, groups=()),
    make_run(b"cat /work/out", id="reader", needs=("run1",), exit_code=0),
    make_run(b"trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done", id="waits"),
)
RESULTS = (
    Result("run1", b"/work/gone", None),
    Result("run1", b"/work/link", FileType.SYMLINK, target=b"data"),
    wrote(b"/work/out", b"the data\n", mode=0o640),
    wrote(b"/work/late", b"late\n", "late", mode=0o600),
)
SAME = """\
same       exit status of run1
same       standard output of run1
same       standard error of run1
same       /work/gone
same       /work/link
same       /work/out
"""


def write_image(folder: Path, *runs: Run, data: bytes = b"the data\n") -> Exported:
    """Export a bundle of busybox with some runs."""
    maker = BundleMaker(folder)
    maker.file(b"/work/data", data)
    maker.file(b"/work/gone", b"1")
    wanted = {run.id for run in runs}
    bundle = maker.write(*runs, results=tuple(result for result in RESULTS if result.run in wanted))
    with open_bundle(bundle) as opened:
        return EXPORTER.export(Exporting(opened, lambda: expect(opened)), folder / "image.tar")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """An image of runs of two users."""
    return write_image(tmp_path_factory.mktemp("exported"), *RUNS)


@pytest.fixture(scope="module")
def loaded(exported: Exported) -> Iterator[str]:
    """The image's name in a Docker engine that has loaded it."""
    name = name_image(exported.identity)
    assert docker("load", "--input", str(exported.target)) == f"Loaded image: {name}"
    yield name
    docker("image", "rm", "--force", name)


def start(image: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a container without a network."""
    argv = ["docker", "run", "--rm", "--network", "none", *options, image, *arguments]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.requires("docker")
def test_container_replays_and_verifies(loaded: str) -> None:
    """Docker, which knows nothing of rtrace, replays a run as its user, and tells that all its results are the same."""
    done = start(loaded, "run1")
    assert (done.stdout, done.stderr, done.returncode) == (TOLD.decode(), "oh\n", 3)
    done = start(loaded, "verify", "run1", "late")
    assert done.stdout.startswith(f"{SAME}same       exit status of late\nsame       /work/late\nnot judged here")
    assert done.stdout.endswith("\nall results are identical: 8 same\n")
    assert (done.returncode, "the replay had a network" in done.stdout) == (0, False)
    done = start(loaded, "reader")
    assert (done.stdout, done.stderr, done.returncode) == ("", f"{TOLD.decode()}oh\n", 3)


@pytest.mark.requires("docker")
def test_difference_ends_with_1_and_no_verdict_with_3(exported: Exported, tmp_path: Path) -> None:
    """An image whose input is another tells what differs; one without anything to compare has no verdict."""
    changed = write_image(tmp_path / "changed", RUNS[0], data=b"the DATA\n")
    untold = write_image(tmp_path / "untold", make_run(exit_code=None))
    try:
        for image in (changed, untold):
            docker("load", "--input", str(image.target))
        done = start(name_image(changed.identity), "verify")
        assert "different  standard output of run1: the content differs\n" in done.stdout
        assert "different  /work/out: the content differs, 9 bytes as before\n" in done.stdout
        assert (done.stdout.splitlines()[-1], done.returncode) == ("the results differ: 4 same, 2 different", 1)
        done = start(name_image(untold.identity), "verify")
        assert (done.stdout.splitlines()[-1], done.returncode) == ("there is no verdict: 4 unknown", 3)
    finally:
        docker("image", "rm", "--force", name_image(changed.identity), name_image(untold.identity))
    assert changed.identity != exported.identity


@pytest.mark.requires("docker")
def test_signal_reaches_the_run(loaded: str) -> None:
    """`docker stop` ends a run, which can tidy up; its status is the container's."""
    argv = ["docker", "run", "--rm", "--network", "none", loaded, "waits"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)  # which the client hands on to the container
        assert (process.stdout.read(), process.wait()) == (b"got it\n", 9)


@pytest.mark.requires("docker")
def test_terminal_of_the_original_is_one(tmp_path: Path) -> None:
    """A run that printed to a terminal finds one of the same size, and its bytes are compared as they are."""
    text = b"30 100\n\x1b[1mbold\r\n"
    run = make_run(
        b"[ -t 1 ] && stty size < /dev/stdout; printf '\\033[1mbold\\r\\n'",
        stdout=Output("terminal", len(text), digest(text), (30, 100)),
        stderr=Output("terminal", joined=True),
    )
    maker = BundleMaker(tmp_path)
    for applet in (b"stty", b"printf"):
        maker.symlink(b"/bin/" + applet, b"busybox")
    with open_bundle(maker.write(run)) as opened:
        image = EXPORTER.export(Exporting(opened, lambda: expect(opened)), tmp_path / "image.tar")
    docker("load", "--input", str(image.target))
    try:
        done = start(name_image(image.identity), "verify")
    finally:
        docker("image", "rm", "--force", name_image(image.identity))
    assert "same       standard output of run1\n" in done.stdout
    assert done.returncode == 0


def inspect(place: str) -> dict[str, Any]:
    """Return what skopeo says of an image."""
    done = subprocess.run(["skopeo", "inspect", place], check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def unpack(exported: Exported, folder: Path) -> Path:
    """Have umoci unpack an image; return the folder that a runtime takes."""
    with tarfile.open(exported.target) as tar:
        tar.extractall(folder / "layout", filter="data")
    image = f"{folder}/layout:{exported.identity[:12]}"
    subprocess.run(["umoci", "unpack", "--image", image, folder / "bundle"], check=True, capture_output=True)
    return folder / "bundle"


@pytest.mark.requires("skopeo")
def test_skopeo_copies_the_image(exported: Exported, tmp_path: Path) -> None:
    """Skopeo finds the same image in the file's two layouts, and copies it."""
    told = [inspect(f"{kind}:{exported.target}") for kind in ("oci-archive", "docker-archive")]
    assert told[0]["Labels"] == told[1]["Labels"]
    assert told[0]["Labels"]["rtrace.bundle"] == exported.identity
    assert (told[0]["Architecture"], len(told[0]["Layers"])) == ("amd64", 2)
    place = f"oci:{tmp_path}/copy:one"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{exported.target}", place], check=True)
    assert inspect(place)["Layers"] == told[0]["Layers"]


@pytest.mark.requires("umoci", "root")
def test_umoci_unpacks_what_verifies_itself(exported: Exported, tmp_path: Path) -> None:
    """What umoci unpacks verifies itself in a chroot: the program needs nothing of an engine. Root becomes the user."""
    unpacked = unpack(exported, tmp_path)
    assert (unpacked / "rootfs/work/data").stat().st_uid == USER
    config = json.loads((unpacked / "config.json").read_text())
    assert config["process"]["args"] == ["/.rtrace/start"]
    argv = ["chroot", os.fspath(unpacked / "rootfs"), "/.rtrace/start", "verify", "run1"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith(SAME)
    assert done.returncode == 0


@pytest.mark.requires("umoci", "runc", "root")
def test_runc_runs_what_umoci_unpacked(tmp_path: Path) -> None:
    """A runtime starts what umoci made of an image of one user's runs, with the few capabilities that it leaves."""
    unpacked = unpack(write_image(tmp_path / "made", RUNS[0]), tmp_path)
    config = json.loads((unpacked / "config.json").read_text())
    config["process"]["args"].append("verify")
    config["process"].update(terminal=False, rlimits=[])
    (unpacked / "config.json").write_text(json.dumps(config))
    argv = ["runc", "--root", os.fspath(tmp_path / "state"), "run", "--bundle", os.fspath(unpacked), tmp_path.name]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    if not done.stdout and "runc create failed" in done.stderr:
        pytest.skip(f"needs a machine on which runc can start containers: {done.stderr[-200:]}")
    assert done.stdout.startswith(SAME)
    assert done.returncode == 0


@pytest.mark.requires("podman", "root")
@pytest.mark.xdist_group("podman")  # it keeps locks for all of its storages together
def test_podman_takes_the_file(exported: Exported) -> None:
    """Podman loads the file under the image's name, and a container of it verifies itself where one can start here."""
    files, processes = (
        min(4096, resource.getrlimit(what)[1]) for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    with tempfile.TemporaryDirectory(prefix="rtrace-podman-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        configuration = Path(folder) / "containers.conf"
        configuration.write_text(
            f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
        )
        storage = f"--root {folder}/root --runroot {folder}/run --storage-driver vfs"
        podman = shlex.split(f"podman {storage} --cgroup-manager cgroupfs --events-backend file --runtime runc")
        env = {**os.environ, "CONTAINERS_CONF": str(configuration), "PATH": f"{os.environ['PATH']}:/usr/sbin"}

        def call(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*podman, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
            )

        assert call("load", "--input", str(exported.target)).returncode == 0
        name = name_image(exported.identity)
        (told,) = json.loads(call("image", "inspect", name).stdout)
        assert told["Config"]["Entrypoint"] == ["/.rtrace/start"]
        done = call("run", "--rm", "--network", "none", name, "verify", "run1")
        if done.returncode not in {126, 127}:  # the machine lets Podman start containers
            assert done.stdout.startswith(SAME)
            assert done.returncode == 0
        call("rmi", "--all", "--force")
