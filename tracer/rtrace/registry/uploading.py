"""Sending a blob to a registry in chunks; one that was begun, by this process or a killed one, is gone on with.

    POST ──> place of the upload ──> PATCH (a chunk) ──> ... ──> PUT (its digest)
                     ^                     | broke
                     └──── GET: how much is there? ── unknown there ──> POST

After each answer the place is written down. A registry that looks after its own state knows how much it has of a chunk
that broke off; Docker's before version 3 has forgotten the upload then, and all is sent again.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import ElsewhereError, RegistryError
from rtrace.files.reading import read_at
from rtrace.printable import format_size
from rtrace.registry.artifact import Content
from rtrace.registry.guard import find_origin, refuse_url
from rtrace.registry.problems import BrokenOffError, RefusedError, refuse
from rtrace.registry.sessions import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

    from rtrace.progress import Progress
    from rtrace.registry.client import Client
    from rtrace.registry.sessions import Session

CHUNK = 4 << 20
"""Bytes of the first request, and of all to a registry that takes no larger ones, such as GitHub's."""
_LARGEST_CHUNK = 32 << 20
_SWIFT = 2.0
"""Seconds in which a chunk has to be taken for the next one to be larger."""
_SMALLEST_CHUNK = 256 << 10
_PIECE = 64 << 10
_ATTEMPTS = 5
"""How often in a row an upload may break without having come further."""
_PAUSE = 0.5
_CREATED, _ACCEPTED, _NO_CONTENT, _OK, _UNKNOWN = 201, 202, 204, 200, 404
_FOR_NOW = frozenset({408, 413, 429, 500, 502, 503, 504})
"""Statuses after which less, or the same a moment later, may be taken."""
_TOO_LARGE = frozenset({400, 416})
_NOT_THAT_UPLOAD = frozenset({400, 404, 409, 416})
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})\Z")


def has_blob(client: Client, content: Content) -> bool:
    """Whether the registry has a blob already."""
    answer = client.ask("HEAD", client.locate(f"blobs/{content.digest}"), follow=True)
    if answer.status == _UNKNOWN:
        answer.close()
        return False
    if answer.status != _OK:
        raise refuse(client.host, "say whether it has the bundle", answer)
    with answer:
        return answer.headers.get("Content-Length", str(content.size)) == str(content.size)


def upload_small(client: Client, digest: str, data: bytes) -> None:
    """Send a blob in one piece, unless it is there."""
    content = Content(digest, len(data))
    if not has_blob(client, content):
        location = _begin(client)[0]
        _finish(client, location, content, data)


class Uploader:
    """Sends one file to a registry as a blob; ``resumed`` is how much of it an earlier push had sent."""

    def __init__(self, client: Client, session: Session, content: Content, tell: Callable[[str], None]) -> None:
        """Begin with what is known of an earlier upload."""
        self._client = client
        self._session = session
        self._content = content
        self._tell = tell
        self._chunk = CHUNK
        self._grows = True
        self._upload: Upload | None = None
        self.resumed = 0

    def send(self, descriptor: int, progress: Progress) -> None:
        """Send the file, as often as that comes further. Raises RegistryError."""
        earlier = self._session.read()
        if earlier is not None:
            self._upload = self._take_up_earlier(earlier)
            self.resumed = 0 if self._upload is None else self._upload.done
            if self._upload is None:
                self._tell("the registry has forgotten the upload that an earlier `rtrace push` began; it begins anew")
            else:
                whole = format_size(self._content.size)
                self._tell(f"going on with an earlier `rtrace push`: {format_size(self.resumed)} of {whole} are there")
        progress.start("pushing", self._content.size)
        progress.advance(self.resumed)
        try:
            self._send_patiently(descriptor, progress)
        finally:
            progress.finish()

    def _send_patiently(self, descriptor: int, progress: Progress) -> None:
        """Send what is left until all is there, or until it breaks too often in one place."""
        furthest = attempts = 0
        broke: BrokenOffError | None = None
        while True:
            try:
                if broke is not None and self._recover(broke, progress):
                    break
                broke = None
                self._send_rest(descriptor, progress)
            except BrokenOffError as error:
                attempts = 0 if self._done > furthest else attempts + 1
                furthest = max(furthest, self._done)
                debug(__name__, "broke at %d of %d bytes: %s", self._done, self._content.size, error)
                if attempts >= _ATTEMPTS or error is broke:
                    raise
                # What takes no large chunks may just hang up.
                self._chunk, self._grows = max(_SMALLEST_CHUNK, min(CHUNK, self._chunk // 2)), False
                broke = error
                time.sleep(_PAUSE)
            except RefusedError as error:
                if error.status not in _NOT_THAT_UPLOAD:
                    raise
                self._session.forget()
                if not self.resumed:
                    raise
                # Whatever the earlier push left there, it was not the beginning of this file.
                self._tell("the registry does not take what an earlier `rtrace push` began; it begins anew")
                progress.advance(-self._done)
                self._upload, self.resumed = None, 0
            else:
                break
        self._session.forget()

    def _recover(self, broke: BrokenOffError, progress: Progress) -> bool:
        """Find out where to go on after a connection broke; return whether all of it is there, and has its digest.

        Raises ``broke`` again where all had been sent, and the registry has neither that nor the upload.
        """
        was_whole = self._done == self._content.size
        if was_whole and has_blob(self._client, self._content):
            return True
        before = self._done
        if self._upload is not None:
            self._upload = self._take_up(self._upload)
        progress.advance(self._done - before)
        if was_whole and self._upload is None:
            raise broke
        return False

    @property
    def _done(self) -> int:
        """How many bytes are there."""
        return 0 if self._upload is None else self._upload.done

    def _take_up_earlier(self, upload: Upload) -> Upload | None:
        """Take up what another process began; None where its place is nothing to go on with."""
        own = self._client.locate("")
        try:
            refuse_url(upload.location, own)
            return self._take_up(upload)
        except (RegistryError, ElsewhereError) as error:
            if isinstance(error, BrokenOffError) and find_origin(upload.location) == find_origin(own):
                raise
            debug(__name__, "the place of the upload cannot be asked: %s", error)
            self._session.forget()
            return None

    def _take_up(self, upload: Upload) -> Upload | None:
        """Ask how much of an upload is there, and where it goes on; None when the registry knows nothing of it."""
        answer = self._client.ask("GET", upload.location)
        if answer.status not in {_NO_CONTENT, _OK, _ACCEPTED}:
            debug(__name__, "the upload is gone: %d", answer.status)
            answer.close()
            self._session.forget()
            return None
        done = _read_range(answer)
        if done is None or done > self._content.size or done == 1:  # 0-0 is what some say of nothing
            answer.close()
            self._session.forget()
            return None
        return self._keep(upload.location, answer, done)

    def _keep(self, location: str, answer: HTTPResponse, done: int) -> Upload:
        """Write down how much is there, and where it goes on by an answer: in the same place if that does not say."""
        if answer.headers.get("Location"):
            location = self._client.resolve(location, answer)
        answer.close()
        upload = Upload(location, done)
        self._session.write(upload)
        return upload

    def _send_rest(self, descriptor: int, progress: Progress) -> None:
        """Send what is not there yet, chunk by chunk, and say that it is all."""
        client, size = self._client, self._content.size
        if self._upload is None:
            location, least = _begin(client)
            self._chunk = max(self._chunk, least)  # a registry that wants more at a time says so
            self._upload = Upload(location, 0)
            self._session.write(self._upload)
        while self._upload.done < size:
            begin = self._upload.done
            end = min(begin + self._chunk, size)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(end - begin),
                "Content-Range": f"{begin}-{end - 1}",
            }
            body = partial(self._read, descriptor, begin, end)
            began = time.monotonic()
            answer = client.ask("PATCH", self._upload.location, headers, body)
            if answer.status not in {_ACCEPTED, _NO_CONTENT}:
                raise _refuse_content(client, answer, is_large=end - begin > CHUNK)
            done = _read_range(answer)
            if done is None:
                done = end
            if not begin < done <= end:
                answer.close()
                raise RegistryError(f"{client.host} says that it has {done} bytes of {end}; ask who runs it")
            self._upload = self._keep(self._upload.location, answer, done)
            progress.advance(done - begin)
            if self._grows and time.monotonic() - began < _SWIFT:
                self._chunk = min(2 * self._chunk, _LARGEST_CHUNK)
        _finish(client, self._upload.location, self._content)

    def _read(self, descriptor: int, begin: int, end: int) -> Iterator[bytes]:
        """Yield a part of the file in pieces, each of which a registry has to take in time."""
        while begin < end:
            piece = read_at(descriptor, min(_PIECE, end - begin), begin)
            if not piece:
                raise RegistryError("the bundle became shorter while it was sent; push it again")
            begin += len(piece)
            now = time.monotonic()
            yield piece
            self._client.guard.spend(now)
            self._client.guard.wait()


def _begin(client: Client) -> tuple[str, int]:
    """Begin an upload; return its place, and the bytes that a chunk has to have."""
    url = client.locate("blobs/uploads/")
    answer = client.ask("POST", url, {"Content-Type": "application/octet-stream"}, lambda: iter(()))
    if answer.status not in {_ACCEPTED, _CREATED}:
        raise refuse(client.host, f"let you push to {client.reference.repository}", answer)
    least = answer.headers.get("OCI-Chunk-Min-Length", "")
    chunk = int(least) if _NUMBER.match(least) else 0
    return client.resolve(url, answer), min(chunk, _LARGEST_CHUNK)


def _finish(client: Client, location: str, content: Content, data: bytes = b"") -> None:
    """Say that all of a blob is there, the last of it with this."""
    sign = "&" if "?" in location else "?"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(data))}
    answer = client.ask(
        "PUT", f"{location}{sign}digest={content.digest}", headers, lambda: iter((data,) if data else ())
    )
    if answer.status not in {_CREATED, _NO_CONTENT}:
        raise _refuse_content(client, answer)
    answer.close()


def _refuse_content(client: Client, answer: HTTPResponse, *, is_large: bool = False) -> RegistryError:
    """Return the error for content that was not taken.

    What may be taken a moment later, or in smaller chunks, counts as broken off.
    """
    refused = refuse(client.host, "take the bundle", answer)
    is_for_now = refused.status in _FOR_NOW or (is_large and refused.status in _TOO_LARGE)
    return BrokenOffError(str(refused)) if is_for_now else refused


def _read_range(answer: HTTPResponse) -> int | None:
    """Return how many bytes of an upload are there; None where the registry does not say."""
    found = _RANGE.match(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else None
