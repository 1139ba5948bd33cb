"""What engines read of an image: configuration, manifest and index, as the OCI's image specification has them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from rtrace.manifest.model import Run
from rtrace.printable import printable, shorten
from rtrace_unpackers.engines.image.dockerfile import FOLDER, START, list_variables, say_workingdir
from rtrace_unpackers.engines.image.loading import BUNDLE_LABEL, EPOCH, PLATFORMS
from rtrace_unpackers.oci.writing import Blob

NAME = "rtrace-bundle"
"""The name of an image; its tag is the beginning of the bundle's identity."""
TAG_LENGTH = 12

CONFIGURATION_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LABEL = "org.opencontainers.image."
CONTAINERD_NAME = "io.containerd.image.name"
VARIANTS = {"arm64": "v8"}
LAST_SECOND = 253_402_300_799
"""Of the year 9999, beyond which RFC 3339 has no time."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document, as a blob."""

    content: bytes

    @property
    def sha256(self) -> str:
        """The digest that it is found by."""
        return hashlib.sha256(self.content).hexdigest()

    def describe(self, kind: str) -> dict[str, object]:
        """Return the descriptor of it."""
        return describe(kind, self.sha256, len(self.content))


def describe(kind: str, sha256: str, size: int) -> dict[str, object]:
    """Return the descriptor of a blob."""
    return {"mediaType": kind, "digest": f"sha256:{sha256}", "size": size}


def name_image(identity: str) -> str:
    """Return the name and tag of a bundle's image: they depend on the bundle alone, whatever its file is called."""
    return f"{NAME}:{identity[:TAG_LENGTH]}"


def configure(
    runs: Sequence[Run], identity: str, layers: Sequence[Blob], *, has_shared_memory: bool, tells_variables: bool
) -> tuple[Document, Mapping[str, object]]:
    """Return an image's configuration, and the platform that it is for."""
    first = runs[0]
    created = tell_time(runs)
    variables = list_variables(first)[0] if tells_variables else {}
    is_for_one = len({(run.uid, run.gid) for run in runs}) == 1
    config: dict[str, object] = {
        "Entrypoint": [f"{FOLDER}/{START}"],
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Labels": {**list_labels(runs, identity, created), BUNDLE_LABEL: identity},
        "User": f"{first.uid}:{first.gid}" if is_for_one else "0:0",  # root becomes the user of each run
    }
    workingdir = say_workingdir(first.workingdir)
    if workingdir is not None:
        config["WorkingDir"] = workingdir
    if has_shared_memory:
        config["Volumes"] = {"/dev/shm": {}}  # noqa: S108 -- else an engine hides the image's files there
    architecture = PLATFORMS[first.architecture]
    variant = {"variant": VARIANTS[architecture]} if architecture in VARIANTS else {}
    platform: dict[str, object] = {"architecture": architecture, "os": "linux", **variant}
    configuration = {
        **platform,
        "config": config,
        "created": created,
        "history": [{"created": created, "created_by": f"rtrace export: {layer.name}"} for layer in layers],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff}" for layer in layers]},
    }
    return encode(configuration), platform


def list_labels(runs: Sequence[Run], identity: str, created: str) -> dict[str, str]:
    """Return the labels that the specification knows; all of them follow from the bundle."""
    command = shorten(" ".join(map(printable, runs[0].argv)))
    return {
        f"{LABEL}created": created,
        f"{LABEL}title": command,
        f"{LABEL}description": f"A recorded run that replays and verifies itself, made by rtrace: {command}",
        f"{LABEL}ref.name": identity[:TAG_LENGTH],
    }


def tell_time(runs: Sequence[Run]) -> str:
    """Return when the last run ended, as the time of the image: the same bundle is to give the same bytes."""
    times = [run.finished for run in runs if run.finished is not None and math.isfinite(run.finished)]
    last = int(max(times, default=0.0))
    if not 0 <= last <= LAST_SECOND:
        return EPOCH
    return datetime.fromtimestamp(last, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_content(configuration: Document, layers: Sequence[Blob]) -> Document:
    """Return the manifest of an image."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": configuration.describe(CONFIGURATION_TYPE),
            "layers": [describe(LAYER_TYPE, layer.sha256, layer.size) for layer in layers],
        }
    )


def index(manifest: Document, platform: Mapping[str, object], identity: str) -> Document:
    """Return the index of an image's file, with the name that the image gets."""
    name, tag = name_image(identity), identity[:TAG_LENGTH]
    annotations = {f"{LABEL}ref.name": tag, CONTAINERD_NAME: f"docker.io/library/{name}"}
    listed = {**manifest.describe(MANIFEST_TYPE), "platform": platform, "annotations": annotations}
    return encode({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [listed]})


def list_for_docker(configuration: Document, layers: Sequence[Blob], identity: str) -> Document:
    """Return what `docker load` reads instead, in the form of `docker save`."""
    blobs = [name_blob(layer.sha256) for layer in layers]
    return encode([{"Config": name_blob(configuration.sha256), "RepoTags": [name_image(identity)], "Layers": blobs}])


def name_blob(sha256: str) -> str:
    """Return the path of a blob in an image's file."""
    return f"blobs/sha256/{sha256}"


def encode(document: object) -> Document:
    """Return a document as JSON, the same bytes for the same content."""
    return Document(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
