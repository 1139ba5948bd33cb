"""A target's image as an engine loads it: its configuration and one layer, in the form of `docker save`.

Nothing is built: no frontend parses what a bundle says, no step leaves a container or a cache behind, and the engine
either has the whole image or none. The Dockerfile beside it makes the same image where a person builds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace_unpackers.engines.image.dockerfile import ROOTFS, list_variables, name_launchers, say_workingdir

EPOCH = "1970-01-01T00:00:00Z"
BUNDLE_LABEL = "rtrace.bundle"
PART = 1 << 20
AGAIN = "unpack the bundle again into another folder"

PLATFORMS = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
}
"""What engines call the machines of uname(2)."""


def configure_image(runs: Sequence[Run], bundle: str, labels: Mapping[str, str], layer: str) -> bytes:
    """Return an image's configuration; ``layer`` is the SHA-256 of its layer.

    See "image.md" of the OCI's image specification, whose fields are those of Docker's.
    """
    first = runs[0]
    variables, _ = list_variables(first)
    config: dict[str, object] = {
        "Cmd": [name_launchers(runs)[first.id]],
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Labels": {BUNDLE_LABEL: bundle, **labels},
        "User": f"{first.uid}:{first.gid}",
    }
    workingdir = say_workingdir(first.workingdir)
    if workingdir is not None:
        config["WorkingDir"] = workingdir
    configuration = {
        "architecture": PLATFORMS[first.architecture],
        "config": config,
        "created": EPOCH,
        "history": [{"created": EPOCH, "created_by": "rtrace"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }
    return json.dumps(configuration, sort_keys=True).encode()


@contextlib.contextmanager
def open_layer(folder: int) -> Iterator[IO[bytes]]:
    """Yield the files of a context in an open folder, as the tar they are. Raises TargetError."""
    try:
        descriptor = os.open(ROOTFS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise TargetError(f"the target's {ROOTFS} cannot be opened: {error.strerror}; {AGAIN}") from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TargetError(f"the target's {ROOTFS} is no regular file; {AGAIN}")
        yield file


def hash_layer(folder: int) -> str:
    """Return the SHA-256 of a context's files."""
    digest = hashlib.sha256()
    with open_layer(folder) as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()


def write_archive(stream: IO[bytes], folder: int, configuration: bytes) -> None:
    """Write what an engine loads, an image without a name, to a stream that cannot seek."""
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": None, "Layers": ["layer.tar"]}]
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        for member, content in (("manifest.json", json.dumps(manifest).encode()), (name, configuration)):
            add(tar, member, io.BytesIO(content), len(content))
        with open_layer(folder) as file:
            add(tar, "layer.tar", file, os.fstat(file.fileno()).st_size)


def add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    """Add a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
