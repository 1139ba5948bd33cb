"""`rtrace push`: a bundle into a registry, as an artifact."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, RegistryError, UsageError
from rtrace.files.reading import read_at
from rtrace.interrupts import keep_rest
from rtrace.opening import open_at_once, open_bundle
from rtrace.printable import count_more, printable, printable_text, shorten
from rtrace.progress import SILENT, Progress
from rtrace.record.bundled import read_bundled
from rtrace.registry.artifact import (
    ACCEPTED,
    EMPTY,
    EMPTY_DIGEST,
    MANIFEST_TYPE,
    Content,
    Facts,
    digest_of,
    write_manifest,
)
from rtrace.registry.client import USUAL, Client, Manner
from rtrace.registry.problems import refuse
from rtrace.registry.reference import DIGEST, parse_reference
from rtrace.registry.sessions import forget_session, open_session
from rtrace.registry.uploading import Uploader, has_blob, upload_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle
    from rtrace.registry.reference import Reference

_COPY = 1 << 20
_OK = 200
_TAKEN = frozenset({200, 201, 202})
_GOES_ON = "the same command goes on with what is there"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A bundle that is in a registry now, under a digest and perhaps a tag.

    ``sent`` tells whether its content had to be sent, ``resumed`` how many bytes of that an earlier push had sent,
    ``replaced`` the digest that the tag had until now, None where it had none or the same.
    """

    bundle: Path
    reference: Reference
    digest: str
    content: Content
    identity: str
    sent: bool
    resumed: int
    replaced: str | None


def push_bundle(
    path: Path,
    name: str,
    manner: Manner = USUAL,
    *,
    progress: Progress = SILENT,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> Pushed:
    """Send a bundle to a registry, unless it is there, and give it its tag.

    Raises UsageError for what is no reference, or one with the digest of something else; BundleError, RegistryError,
    and BusyError while another process sends the same.
    """
    reference = parse_reference(name)
    with open_bundle(path) as bundle:
        facts = tell_facts(bundle)
    try:
        descriptor = open_at_once(os.fspath(path), os.O_RDONLY)
    except OSError as error:
        raise BundleError(f"cannot open {path}: {error.strerror}") from None
    try:
        content = _digest(descriptor, progress)
        manifest = write_manifest(content, facts)
        digest = digest_of(manifest)
        if reference.digest not in {None, digest}:
            raise UsageError(f"{path} is {digest} in a registry, not {reference.digest}; push it by a tag")
        keep_rest(_GOES_ON)
        client = Client(reference, manner, to_push=True)
        client.guard.expect(content.size)
        replaced = _find_tagged(client, reference)
        sent, resumed = _send(client, descriptor, content, progress, tell)
    finally:
        os.close(descriptor)
    upload_small(client, EMPTY_DIGEST, EMPTY)
    _put_manifest(client, reference.tag or digest, manifest, digest)
    return Pushed(
        path,
        reference,
        digest,
        content,
        facts.identity,
        sent,
        resumed,
        replaced if replaced != digest else None,
    )


def tell_facts(bundle: OpenBundle) -> Facts:
    """Return what a registry shows of a bundle. All of it is in the bundle, so that it is the same each time."""
    identity = bundle.identity
    return Facts(f"sha256:{identity}", _find_title(bundle), f"bundle-{identity[:12]}.rpz", _find_end(bundle))


def _find_end(bundle: OpenBundle) -> str | None:
    """Return when the last run ended; None where that is not known, or no moment."""
    moments = [moment for run in bundle.manifest.runs for moment in (run.finished, run.started) if moment is not None]
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(max(moments)), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


def _find_title(bundle: OpenBundle) -> str:
    """Return the label of the first run that has one, else the first run's command."""
    label = next((one["label"] for one in read_bundled(bundle).values() if one["label"]), None)
    if label:
        return shorten(printable_text(label))
    runs = bundle.manifest.runs
    command = shlex.join(map(printable, runs[0].argv)) if runs else "a bundle"
    return shorten(command) + count_more(len(runs) - 1, "run")


def _digest(descriptor: int, progress: Progress) -> Content:
    """Read the file once, for its digest."""
    size = os.fstat(descriptor).st_size
    digest, done = hashlib.sha256(), 0
    progress.start("reading", size)
    while part := read_at(descriptor, _COPY, done):
        digest.update(part)
        done += len(part)
        progress.advance(len(part))
    progress.finish()
    return Content(f"sha256:{digest.hexdigest()}", done)


def _send(
    client: Client, descriptor: int, content: Content, progress: Progress, tell: Callable[[str], None]
) -> tuple[bool, int]:
    """Send the content unless the registry has it; return whether it was sent, and how much had been before."""
    if has_blob(client, content):
        forget_session(client.reference.name, content.digest)
        return False, 0
    with open_session(client.reference.name, content.digest) as session:
        uploader = Uploader(client, session, content, tell)
        uploader.send(descriptor, progress)
        return True, uploader.resumed


def _find_tagged(client: Client, reference: Reference) -> str | None:
    """Return the digest of what has the tag now; None where nothing has, or the registry does not say."""
    if reference.tag is None:
        return None
    answer = client.ask("HEAD", client.locate(f"manifests/{reference.tag}"), {"Accept": ACCEPTED}, follow=True)
    with answer:
        digest = answer.headers.get("Docker-Content-Digest", "")
        return digest if answer.status == _OK and DIGEST.match(digest) else None


def _put_manifest(client: Client, name: str, manifest: bytes, digest: str) -> None:
    """Give the bundle its name, last of all."""
    headers = {"Content-Type": MANIFEST_TYPE, "Content-Length": str(len(manifest))}
    answer = client.ask("PUT", client.locate(f"manifests/{name}"), headers, lambda: iter((manifest,)))
    if answer.status not in _TAKEN:
        raise refuse(
            client.host,
            "take the manifest of the bundle",
            answer,
            "; a registry has to know artifacts of the OCI image specification",
        )
    with answer:
        told = answer.headers.get("Docker-Content-Digest", digest)
    if told != digest:
        raise RegistryError(
            f"{client.host} keeps the manifest as {shorten(printable_text(told))} instead of {digest}; ask who runs it"
        )
