"""`rtrace pull`: a bundle out of a registry, believed by its digests alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, RegistryError
from rtrace.interrupts import keep_rest
from rtrace.opening import open_bundle
from rtrace.printable import printable_text, shorten
from rtrace.progress import SILENT, Progress
from rtrace.registry.artifact import ACCEPTED, LARGEST_MANIFEST, Artifact, digest_of, read_manifest
from rtrace.registry.client import USUAL, Client, Manner
from rtrace.registry.downloading import Downloader
from rtrace.registry.part import Part, open_part
from rtrace.registry.problems import read_whole, refuse
from rtrace.registry.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.registry.reference import Reference

_OK, _UNKNOWN = 200, 404
_GOES_ON = "the same command goes on with what is there"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A bundle that is here now; ``resumed`` tells how many bytes of it an earlier pull had fetched."""

    path: Path
    reference: Reference
    digest: str
    size: int
    identity: str
    resumed: int


def pull_bundle(
    name: str,
    target: Path | None = None,
    manner: Manner = USUAL,
    *,
    progress: Progress = SILENT,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> Pulled:
    """Fetch a bundle from a registry into a new file, which has its name when it is whole and proven.

    Raises UsageError for what is no reference, BundleError when the file is there already or cannot be written,
    RegistryError, and BusyError while another process fetches the same.
    """
    reference = parse_reference(name)
    target = target or name_file(reference)
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    if not target.parent.is_dir():
        raise BundleError(f"cannot write in {target.parent}: it is no folder; name another one")
    keep_rest(_GOES_ON)
    client = Client(reference, manner)
    artifact, digest = fetch_manifest(client)
    client.guard.expect(artifact.content.size)
    with open_part(target, artifact.content, tell) as part:
        downloader = Downloader(client, artifact.content, part, tell)
        downloader.fetch(progress)
        identity = _prove(part, artifact, reference)
        part.give_name()
    return Pulled(target, reference, digest, artifact.content.size, identity, downloader.resumed)


def name_file(reference: Reference) -> Path:
    """Return the file that a bundle becomes when none is named: in this folder, called as its repository is."""
    return Path(f"{reference.repository.rpartition('/')[2]}.rpz")


def fetch_manifest(client: Client) -> tuple[Artifact, str]:
    """Return what a reference leads to, and the digest of its manifest. Raises RegistryError."""
    reference = client.reference
    answer = client.ask("GET", client.locate(f"manifests/{reference.wanted}"), {"Accept": ACCEPTED}, follow=True)
    if answer.status == _UNKNOWN:
        raise refuse(client.host, f"have {reference}", answer, "; check the name and the tag")
    if answer.status != _OK:
        raise refuse(client.host, f"give {reference}", answer)
    told = answer.headers.get("Docker-Content-Digest")
    data = read_whole(client.host, answer, LARGEST_MANIFEST, f"a manifest of {reference}")
    digest = digest_of(data)
    for wanted in (reference.digest, told):
        if wanted not in {None, digest}:
            raise RegistryError(
                f"{client.host} gives a manifest of {reference} that is not "
                f"{shorten(printable_text(wanted or ''))} but {digest}; ask who runs it"
            )
    return read_manifest(data, str(reference)), digest


def _prove(part: Part, artifact: Artifact, reference: Reference) -> str:
    """Return the identity of what was fetched. Raises RegistryError for no bundle, or another one than was promised."""
    try:
        with open_bundle(part.path) as bundle:
            identity = f"sha256:{bundle.identity}"
    except BundleError as error:
        part.remove()
        reason = str(error).replace(str(part.path), "its content")
        raise RegistryError(f"{reference} has no intact bundle: {reason}; nothing of it was kept") from None
    if artifact.identity not in {None, identity}:
        part.remove()
        raise RegistryError(
            f"{reference} has a bundle whose identity is {identity}, not "
            f"{shorten(printable_text(artifact.identity or ''))} as its manifest says; nothing of it was kept"
        )
    return identity
