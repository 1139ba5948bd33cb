"""Programs of all kinds say the same on every target, with the machine's own copies of their files out of reach.

RTRACE_EVERYWHERE=all runs every program on every target; otherwise each target has some, and each program has some.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from docker_making import docker
from emulators import need_machine_kernel
from plain_user import PlainUser, make_plain_user
from podman_storage import own_podman
from requirements import missing
from rtrace.opening import open_bundle
from rtrace_unpackers.oci.configuration import name_image
from sample_programs import BY_NAME, PROGRAMS, Program, hiding, make_bundle

pytestmark = [pytest.mark.requires("root", "user-namespaces", "unshare"), pytest.mark.xdist_group("everywhere")]

NEEDS = {
    "chroot": (),
    "chroot-user": (),
    "proot": ("proot",),
    "directory-bwrap": ("bwrap",),
    "directory-nspawn": ("systemd-nspawn",),
    "directory-unshare": ("unshare",),
    "directory-chroot": ("chroot",),
    "directory-user-bwrap": ("bwrap",),
    "directory-user-proot": ("proot",),
    "directory-user-ch-run": ("ch-run",),
    "directory-user-unshare": ("unshare",),
    "docker": ("docker",),
    "podman": ("podman",),
    "image-docker": ("docker",),
    "image-podman": ("podman",),
    "image-runc": ("umoci", "runc"),
    "vm": ("qemu-system-x86_64", "qemu-img", "mke2fs"),
}
"""The targets, and what each needs of the machine."""
ALWAYS = {
    "text-pipeline": ("chroot", "proot", "podman", "directory-bwrap", "directory-user-proot"),
    "python-analysis": ("chroot-user", "docker", "image-runc"),
    "c-program": ("docker", "directory-user-unshare"),
    "plots": ("chroot",),
    "r": ("chroot-user", "docker", "directory-user-proot"),
    "node": ("docker", "directory-unshare"),
    "sqlite": ("chroot", "image-docker", "vm"),
    "localhost": ("chroot-user", "podman", "directory-nspawn", "directory-user-ch-run"),
    "make": ("image-podman", "proot", "directory-user-bwrap"),
    "mpi": ("chroot", "directory-chroot"),
}
"""Where each program is replayed whenever the tests run."""
EVERYWHERE = os.environ.get("RTRACE_EVERYWHERE") == "all"
CELLS = [
    pytest.param(
        program.name, target, marks=pytest.mark.requires(*program.requires, *needs), id=f"{program.name}-{target}"
    )
    for program in PROGRAMS
    for target, needs in NEEDS.items()
    if EVERYWHERE or target in ALWAYS[program.name]
]
RTRACE = (sys.executable, "-m", "rtrace")
Done = subprocess.CompletedProcess[bytes]


@dataclass(frozen=True)
class Place:
    """Where the programs of this module are replayed: one folder, one plain user, one storage of Podman for all."""

    folder: Path
    user: PlainUser
    bundles: dict[str, Path]
    images: dict[str, tuple[Path, str]]

    def bundle(self, program: Program) -> Path:
        """Return a program's bundle, made once."""
        if program.name not in self.bundles:
            self.bundles[program.name] = make_bundle(program, self.folder)
        return self.bundles[program.name]

    def given(self, program: Program) -> Path:
        """Return the same as a file of the plain user's."""
        path = self.user.home / f"{program.name}.rpz"
        if not path.exists():
            path.write_bytes(self.bundle(program).read_bytes())
            self.user.give(path)
        return path

    def image(self, program: Program) -> tuple[Path, str]:
        """Return the exported image of a program and its name, made once."""
        if program.name not in self.images:
            path = self.folder / f"{program.name}.tar"
            done = subprocess.run(
                [*RTRACE, "export", "--json", "--format", "oci", self.bundle(program), "-o", path],
                capture_output=True,
                check=True,
            )
            self.images[program.name] = path, name_image(json.loads(done.stdout)["identity"].removeprefix("sha256:"))
        return self.images[program.name]

    def call(self, program: Program, *words: str | Path, **variables: str) -> Done:
        """Run a command as root that sees nothing of what the program needs of the machine."""
        environment = {**os.environ, "RTRACE_VM_ACCELERATOR": "tcg", **variables}
        argv = [*hiding(program), *words]
        return subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=900,
            cwd=self.folder,
        )

    def call_as_user(self, program: Program, *words: str | Path, **variables: str) -> Done:
        """Do the same as the plain user."""
        user = replace(self.user, prefix=(*hiding(program), *self.user.prefix))
        return user.run(*words, env=variables, timeout=900)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, everybodys_rtrace: Path) -> Iterator[Place]:
    """What all cells share."""
    with (
        make_plain_user(everybodys_rtrace) as user,
        tempfile.TemporaryDirectory(prefix="rtrace-everywhere-", dir="/var/tmp", ignore_cleanup_errors=True) as short,
    ):
        made = Place(tmp_path_factory.mktemp("everywhere"), user, {}, {})
        if missing("podman") is None:
            with own_podman(Path(short)):
                yield made
        else:
            yield made


def judge(done: Done, program: Program) -> None:
    """Demand that all a program wrote and printed is the same, byte for byte."""
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, told + done.stderr.decode(errors="replace")
    same = [line for line in told.splitlines() if line.startswith("same ")]
    untold = [name for name in program.outputs if not any(f"/{program.name}/{name}" in line for line in same)]
    others = re.search(
        r"no part in the verdict: (\d+) same$", told, re.MULTILINE
    )  # which an image counts, and has in no line
    assert len(untold) <= (int(others[1]) if others else 0), (untold, told)
    assert any("standard output" in line for line in same), told
    assert "different" not in told


def verify(place: Place, program: Program, unpacker: str) -> None:
    """Have root verify."""
    words = ("verify", "--no-history", "--strict", "--all", "--unpacker", unpacker, place.bundle(program))
    judge(place.call(program, *RTRACE, *words), program)


def verify_as_user(place: Place, program: Program, unpacker: str) -> None:
    """Have a plain user verify."""
    words = ("verify", "--no-history", "--strict", "--all", "--unpacker", unpacker, place.given(program))
    judge(place.call_as_user(program, place.user.rtrace, *words), program)


def run_script(place: Place, program: Program, tool: str, *, as_user: bool) -> None:
    """Unpack a folder, replay by its script alone, and compare with what the bundle says that the original wrote."""
    bundle, call = (place.given(program), place.call_as_user) if as_user else (place.bundle(program), place.call)
    rtrace = (place.user.rtrace,) if as_user else RTRACE
    with tempfile.TemporaryDirectory(prefix=f"{tool}-", dir=place.user.home if as_user else place.folder) as name:
        folder = Path(name)
        place.user.give(folder) if as_user else None
        done = call(program, *rtrace, "unpack", "directory", bundle, folder / "target")
        assert done.returncode == 0, done.stderr
        done = call(program, folder / "target/run.sh", RTRACE_WITH=tool, PATH=f"{os.environ['PATH']}:/usr/sbin")
        assert done.returncode == 0, done.stderr
        with open_bundle(bundle) as opened:
            wanted = {result.path: result.sha256 for result in opened.results if result.sha256}
            (run,) = opened.manifest.runs
        assert run.stdout is not None
        assert hashlib.sha256(done.stdout).hexdigest() == run.stdout.sha256, done.stdout
        for output in program.outputs:
            path = f"{place.folder}/{program.name}/{output}"
            found = (folder / "target/root" / path.lstrip("/")).read_bytes()
            assert hashlib.sha256(found).hexdigest() == wanted[os.fsencode(path)], path
        done = call(program, *rtrace, "destroy", folder / "target")
        assert done.returncode == 0, done.stderr


def verify_in_docker(place: Place, program: Program) -> None:
    """Have Docker, which knows nothing of rtrace, start the exported image, which verifies itself."""
    path, name = place.image(program)
    docker("load", "--input", str(path))
    try:
        judge(place.call(program, "docker", "run", "--rm", "--network", "none", name, "verify"), program)
    finally:
        docker("image", "rm", "--force", name)


def verify_in_podman(place: Place, program: Program) -> None:
    """The same by Podman."""
    path, name = place.image(program)
    podman = os.environ["RTRACE_PODMAN"].split()
    subprocess.run([*podman, "load", "--input", path], check=True, capture_output=True)
    limits = [f"--ulimit={kind}=1024:1024" for kind in ("nofile", "nproc")]  # its own may be beyond this machine's
    judge(place.call(program, *podman, "run", "--rm", "--network", "none", *limits, name, "verify"), program)


def verify_in_runc(place: Place, program: Program) -> None:
    """The same by runc, with what umoci unpacks."""
    path, name = place.image(program)
    with tempfile.TemporaryDirectory(prefix="runc-", dir=place.folder) as made:
        folder = Path(made)
        with tarfile.open(path) as tar:
            tar.extractall(folder / "layout", filter="data")
        tag = name.rpartition(":")[2]
        words = ("umoci", "unpack", "--image", f"{folder}/layout:{tag}", folder / "bundle")
        subprocess.run(words, check=True, capture_output=True)
        configuration = json.loads((folder / "bundle/config.json").read_text())
        configuration["process"]["args"].append("verify")
        configuration["process"].update(terminal=False, rlimits=[])
        (folder / "bundle/config.json").write_text(json.dumps(configuration))
        done = place.call(
            program, "runc", "--root", folder / "state", "run", "--bundle", folder / "bundle", folder.name
        )
        if not done.stdout and b"runc create failed" in done.stderr:
            pytest.skip(f"needs a machine on which runc can start containers: {done.stderr[-200:]!r}")
        judge(done, program)


def verify_in_a_machine(place: Place, program: Program) -> None:
    """Have root verify in an emulated machine. Skip where no kernel is installed; where all was promised, fail."""
    need_machine_kernel()
    verify(place, program, "vm")


OTHERS: dict[str, Callable[[Place, Program], None]] = {
    "chroot-user": lambda place, program: verify_as_user(place, program, "chroot"),
    "proot": lambda place, program: verify_as_user(place, program, "proot"),
    "image-docker": verify_in_docker,
    "image-podman": verify_in_podman,
    "image-runc": verify_in_runc,
    "vm": verify_in_a_machine,
}
"""What judges on a target, where it is not `rtrace verify` by root."""


@pytest.mark.parametrize("name, target", CELLS)
def test_a_program_says_the_same(name: str, target: str, place: Place) -> None:
    """What it wrote and printed is the same, byte for byte."""
    program = BY_NAME[name]
    if target.startswith("directory-user-"):
        run_script(place, program, target.removeprefix("directory-user-"), as_user=True)
    elif target.startswith("directory-"):
        run_script(place, program, target.removeprefix("directory-"), as_user=False)
    elif target in OTHERS:
        OTHERS[target](place, program)
    else:
        verify(place, program, target)


def test_what_is_hidden_cannot_be_used(place: Place) -> None:
    """Where a program's files are out of reach, it cannot be started by itself."""
    program = BY_NAME["make"]
    done = place.call(program, "make", "--version")
    assert done.returncode in {126, 127}, done.stdout


def test_each_target_and_each_program_is_tried() -> None:
    """Whenever the tests run."""
    assert {target for targets in ALWAYS.values() for target in targets} == NEEDS.keys()
    assert ALWAYS.keys() == BY_NAME.keys()
