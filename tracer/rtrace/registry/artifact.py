"""What a bundle is in a registry: an artifact of one layer, the file as it is. The same bundle has the same manifest.

    {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": ARTIFACT_TYPE,
     "config": EMPTY, "layers": [{"mediaType": CONTENT_TYPE, "digest", "size", "annotations"}], "annotations"}

See the OCI image specification 1.1, "Guidelines for Artifact Usage". Titles are for people and other programs: what a
file is called here is never taken from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from rtrace.errors import RegistryError
from rtrace.printable import printable_text, shorten
from rtrace.registry.reference import DIGEST

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.rtrace.bundle.v1"
CONTENT_TYPE = "application/vnd.rtrace.bundle.content.v1"
EMPTY = b"{}"
EMPTY_DIGEST = f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"
IDENTITY = "rtrace.bundle.identity"
TITLE, CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
LARGEST_MANIFEST = 4 << 20
"""Bytes of a manifest that registries have to take, and the most that is read of one."""
_DOCKER = "application/vnd.docker.distribution.manifest"
ACCEPTED = f"{MANIFEST_TYPE}, application/vnd.oci.image.index.v1+json, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"
"""What a manifest may be, so that what is not a bundle can be named."""
_LARGEST_CONTENT = 1 << 50


@dataclass(frozen=True, slots=True)
class Content:
    """The file of a bundle, by its digest (with ``sha256:``) and its size."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told of a bundle beside its content, each thing out of the bundle itself. ``created`` is RFC 3339."""

    identity: str
    title: str
    file_name: str
    created: str | None = None


def write_manifest(content: Content, facts: Facts) -> bytes:
    """Return the manifest of a bundle, to the byte the same each time."""
    annotations = {IDENTITY: facts.identity, TITLE: facts.title}
    if facts.created is not None:
        annotations[CREATED] = facts.created
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": EMPTY_DIGEST,
            "size": len(EMPTY),
            "data": "e30=",
        },
        "layers": [
            {
                "mediaType": CONTENT_TYPE,
                "digest": content.digest,
                "size": content.size,
                "annotations": {TITLE: facts.file_name},
            }
        ],
        "annotations": dict(sorted(annotations.items())),
    }
    return json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def digest_of(data: bytes) -> str:
    """Return the digest of a manifest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A bundle in a registry: its content, and the identity that is promised, None where none is."""

    content: Content
    identity: str | None


def read_manifest(data: bytes, name: str) -> Artifact:
    """Understand a manifest. Raises RegistryError for one that is not a bundle's, and says what it is."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        raise RegistryError(f"{name} has a manifest that is not JSON; ask who pushed it") from None
    if not isinstance(manifest, dict):
        raise RegistryError(f"{name} has a manifest that is no object; ask who pushed it")
    if manifest.get("artifactType") != ARTIFACT_TYPE:
        raise RegistryError(f"{name} is {_tell_kind(manifest)}; `rtrace pull` takes what `rtrace push` has pushed")
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) != 1 or not isinstance(layers[0], dict):
        raise RegistryError(f"{name} has not the one layer of a bundle; ask who pushed it")
    digest, size = layers[0].get("digest"), layers[0].get("size")
    if layers[0].get("mediaType") != CONTENT_TYPE:
        raise RegistryError(f"{name} has a layer that is not a bundle's; a newer rtrace may know it")
    if not isinstance(digest, str) or not DIGEST.match(digest):
        raise RegistryError(f"{name} has a layer whose digest is no SHA-256; ask who pushed it")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _LARGEST_CONTENT:
        raise RegistryError(f"{name} has a layer whose size is none; ask who pushed it")
    annotations = manifest.get("annotations")
    identity = annotations.get(IDENTITY) if isinstance(annotations, dict) else None
    return Artifact(Content(digest, size), identity if isinstance(identity, str) else None)


def _tell_kind(manifest: dict[str, Any]) -> str:
    """Return what a manifest is of that is not a bundle's."""
    kind = manifest.get("artifactType")
    if isinstance(kind, str) and kind:
        return f"not a bundle but {shorten(printable_text(kind))}"
    if "manifests" in manifest:
        return "not a bundle but an index of images"
    return "not a bundle but a container image"
