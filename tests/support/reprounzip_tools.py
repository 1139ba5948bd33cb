"""The real `reprounzip` of ReproZip, without a network: what it would download is put where it keeps its downloads.

Three helpers for its Docker unpacker are no part of any package: busybox comes from the distribution here, and the
other two, `rpzsudo` and `rpztar`, are stood in for by programs in `fixtures/programs`, which keep to the same rules.
No image of a distribution can be had either: the base image holds busybox as sh and chmod, all that a Dockerfile needs.
"""

import contextlib
import io
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parents[2] / "fixtures" / "programs"
BUSYBOX = Path("/bin/busybox")


@dataclass(frozen=True)
class Reprounzip:
    """A place to run it in, and where it finds its helpers."""

    folder: Path
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        """Quiet, without statistics, and with the parameters that it brings along."""
        return {
            **os.environ,
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "XDG_CACHE_HOME": str(self.cache),
            "REPROZIP_NO_LOGFILE": "1",
            "REPROZIP_PARAMETERS": "off",
            "REPROZIP_USAGE_STATS": "off",
        }

    def start(self, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run it, or another command of the same environment (`sh`), and return how it ended.

        It insists on a SIGINT that nobody ignores, as a program in a terminal has it.
        """
        return subprocess.run(
            ["env", "--default-signal=INT", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
        )

    def run(self, *arguments: str | Path) -> bytes:
        """Run a command of it that succeeds, and return what it printed, as if it had not been on a terminal."""
        done = self.start("reprounzip", *arguments)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.replace(b"\r\n", b"\n")


def make_helpers(folder: Path) -> Path:
    """Make what it would download, and return the folder to look for it in."""
    cache = folder / "reprozip"
    cache.mkdir(parents=True)
    machine = platform.machine()
    shutil.copy(BUSYBOX, cache / f"busybox-{machine}")
    sudo: list[str | Path] = [
        "gcc",
        "-static",
        "-O2",
        "-Wall",
        "-o",
        cache / f"rpzsudo-{machine}",
        PROGRAMS / "rpzsudo.c",
    ]
    tar: list[str | Path] = ["go", "build", "-o", cache / f"rpztar-{machine}", PROGRAMS / "rpztar.go"]
    settings = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOCACHE": str(folder / "go"), "GOFLAGS": ""}
    for command in (sudo, tar):
        subprocess.run(command, check=True, env={**os.environ, **settings}, capture_output=True)
    shutil.rmtree(folder / "go")
    return folder


@contextlib.contextmanager
def make_base_image(name: str) -> Iterator[str]:
    """Yield the name of an image of busybox, laid out as today's distributions are; remove it in the end."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(BUSYBOX, "usr/bin/busybox")
        for link, target in (("bin", "usr/bin"), ("usr/bin/sh", "busybox"), ("usr/bin/chmod", "busybox")):
            header = tarfile.TarInfo(link)
            header.type, header.linkname = tarfile.SYMTYPE, target
            archive.addfile(header)
    subprocess.run(["docker", "import", "-", name], input=file.getvalue(), check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rmi", name], check=False, capture_output=True)
