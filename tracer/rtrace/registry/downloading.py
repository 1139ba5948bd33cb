"""Fetching a blob into its part.

A part that is there, of this process or a killed one, is gone on with: what is in it counts for the digest as what
comes. Whatever its content, it is believed only when all of it has the digest that was asked for.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import RegistryError
from rtrace.printable import format_size
from rtrace.registry.problems import BrokenOffError, explained, refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse

    from rtrace.progress import Progress
    from rtrace.registry.artifact import Content
    from rtrace.registry.client import Client
    from rtrace.registry.part import Part

_COPY = 1 << 20
_ATTEMPTS = 5
"""How often in a row a transfer may break without having brought anything."""
_PAUSE = 0.5
_OK, _PARTIAL = 200, 206


class Downloader:
    """Fetches a blob into its part; ``resumed`` is how much of it an earlier pull had fetched."""

    def __init__(self, client: Client, content: Content, part: Part, tell: Callable[[str], None]) -> None:
        """Begin with what is there."""
        self._client = client
        self._content = content
        self._part = part
        self._tell = tell
        self._digest = hashlib.sha256()
        self._done = 0
        self.resumed = 0

    def fetch(self, progress: Progress) -> None:
        """Fetch what is missing. Raises RegistryError for what has not the digest, and nothing is left of it then."""
        part, size = self._part, self._content.size
        if part.size > size:
            self._tell(f"{part.path} is longer than what is to be fetched; it begins anew")
            part.empty()
        self.resumed = part.size
        if self.resumed:
            self._tell(
                f"going on with an earlier `rtrace pull`: {format_size(self.resumed)} of {format_size(size)} are here"
            )
        progress.start("pulling", size)
        try:
            self._take_in(progress)
            self._fetch_patiently(progress)
            if self.resumed and not self._is_right():
                self._tell(f"what an earlier `rtrace pull` left in {part.path} is not right; it begins anew")
                part.empty()
                progress.advance(-self._done)
                self._digest, self._done, self.resumed = hashlib.sha256(), 0, 0
                self._fetch_patiently(progress)
        finally:
            progress.finish()
        if not self._is_right():
            part.remove()
            raise RegistryError(
                f"{self._client.host} gives something else than {self._content.digest}: its content differs; "
                "nothing of it was kept; ask who runs it"
            )

    def _is_right(self) -> bool:
        """Whether all that was taken in has the digest."""
        return self._content.digest == f"sha256:{self._digest.hexdigest()}"

    def _take_in(self, progress: Progress) -> None:
        """Count what is in the part already."""
        while self._done < self.resumed:
            piece = os.pread(self._part.descriptor, min(_COPY, self.resumed - self._done), self._done)
            if not piece:
                break
            self._count(piece, progress)
        self.resumed = self._done

    def _count(self, piece: bytes, progress: Progress) -> None:
        self._digest.update(piece)
        self._done += len(piece)
        progress.advance(len(piece))

    def _fetch_patiently(self, progress: Progress) -> None:
        """Fetch what is missing, as often as that brings something."""
        broken = 0
        while self._done < self._content.size:
            before = self._done
            try:
                self._fetch_rest(progress)
            except BrokenOffError as error:
                broken = 0 if self._done > before else broken + 1
                debug(__name__, "broke at %d of %d bytes: %s", self._done, self._content.size, error)
                if broken >= _ATTEMPTS:
                    raise
                time.sleep(_PAUSE)

    def _fetch_rest(self, progress: Progress) -> None:
        """Fetch from where the part ends."""
        client, content = self._client, self._content
        headers = {"Range": f"bytes={self._done}-"} if self._done else {}
        answer = client.ask("GET", client.locate(f"blobs/{content.digest}"), headers, follow=True)
        with answer:
            self._check(answer)
            skipped = self._done if answer.status == _OK else 0  # of a registry that knows no ranges
            while skipped and (piece := self._read(answer, skipped)):
                skipped -= len(piece)
            while piece := self._read(answer, content.size + 1 - self._done):
                if self._done + len(piece) > content.size:
                    self._part.remove()
                    raise RegistryError(
                        f"{client.host} gives more than the {content.size} bytes of the bundle; ask who runs it"
                    )
                _write_all(self._part.descriptor, piece, self._done)
                self._count(piece, progress)
        if self._done < content.size:
            raise BrokenOffError(f"{client.host}: it ended after {self._done} of {content.size} bytes; try again")

    def _read(self, answer: HTTPResponse, most: int) -> bytes:
        """Return a piece of an answer, empty at its end."""
        with explained(self._client.host):
            return answer.read(min(most, _COPY))

    def _check(self, answer: HTTPResponse) -> None:
        """Refuse an answer that is not what was asked for."""
        client, content = self._client, self._content
        if answer.status not in {_OK, _PARTIAL}:
            raise refuse(client.host, "give the bundle", answer)
        if answer.status == _PARTIAL and not answer.headers.get("Content-Range", "").startswith(f"bytes {self._done}-"):
            raise RegistryError(f"{client.host} gives another part of the bundle than was asked for; ask who runs it")
        expected = content.size - (self._done if answer.status == _PARTIAL else 0)
        if answer.length not in {None, expected}:
            raise RegistryError(
                f"{client.host} gives {answer.length} bytes where the bundle has {expected}; ask who runs it"
            )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
