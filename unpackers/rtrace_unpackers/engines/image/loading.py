"""A target's image as an engine loads it: its configuration and its layers, in the form of `docker save`.

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
from rtrace_unpackers.engines.image.dockerfile import list_variables, name_launchers, say_workingdir
from rtrace_unpackers.engines.image.layers import name_file

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


def configure_image(runs: Sequence[Run], bundle: str, labels: Mapping[str, str], layers: Sequence[str]) -> bytes:
    """Return an image's configuration; ``layers`` are the SHA-256 of its layers, from the bottom to the top.

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
        "history": [{"created": EPOCH, "created_by": "rtrace"} for _ in layers],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}" for layer in layers]},
    }
    return json.dumps(configuration, sort_keys=True).encode()


@contextlib.contextmanager
def open_layer(folder: int, layer: str) -> Iterator[IO[bytes]]:
    """Yield a layer of a context in an open folder, as the tar they are. Raises TargetError."""
    name = name_file(layer)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise TargetError(f"the target's {name} cannot be opened: {error.strerror}; {AGAIN}") from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TargetError(f"the target's {name} is no regular file; {AGAIN}")
        yield file


def hash_layer(folder: int, layer: str) -> str:
    """Return the SHA-256 of a layer of a context."""
    digest = hashlib.sha256()
    with open_layer(folder, layer) as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()


def write_archive(stream: IO[bytes], folder: int, layers: Sequence[str], configuration: bytes) -> None:
    """Write what an engine loads, an image without a name, to a stream that cannot seek."""
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": None, "Layers": [name_file(layer) for layer in layers]}]
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        for member, content in (("manifest.json", json.dumps(manifest).encode()), (name, configuration)):
            add(tar, member, io.BytesIO(content), len(content))
        for layer in layers:
            with open_layer(folder, layer) as file:
                add(tar, name_file(layer), file, os.fstat(file.fileno()).st_size)


def add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    """Add a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
