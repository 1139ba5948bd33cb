"""A registry on the loopback interface that keeps to the specification, but where a test wants it otherwise."""

import base64
import hashlib
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.errors import RegistryError
from rtrace.operations.publishing.pulling import pull_bundle
from rtrace.registry import downloading, uploading

Rule = Callable[["Handler"], bool | None]
SECRET = "hunter2-secret"  # noqa: S105 -- what must not get away
BASIC = base64.b64encode(f"ada:{SECRET}".encode()).decode()
PIECE = 1 << 16


def digest_of(data: bytes | bytearray) -> str:
    """Return a digest as registries have it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class OddRegistry:
    """What a registry has, what it was asked, and the rules by which it behaves otherwise.

    A rule is for a method and a pattern of paths; it answers itself, or returns True to have the usual answer.
    """

    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    rules: list[tuple[str, str, Rule]] = field(default_factory=list)
    taken: int = 0
    """Bytes of uploads that it was sent."""

    def add(self, method: str, pattern: str, rule: Rule) -> None:
        """Add a rule, before those that are there."""
        self.rules.insert(0, (method, pattern, rule))

    def methods(self) -> list[str]:
        """Return the methods of what was asked."""
        return [method for method, _path, _headers in self.asked]

    def keep(self, content: bytes, manifest: bytes, tag: str = "latest") -> str:
        """Have an artifact with its content; return the digest of its manifest."""
        self.blobs[digest_of(content)] = content
        self.manifests[tag] = self.manifests[digest_of(manifest)] = manifest
        return digest_of(manifest)


class Handler(BaseHTTPRequestHandler):
    """Answers for an `OddRegistry`."""

    registry: OddRegistry
    names = count(1)
    stopped: threading.Event

    def answer_any(self) -> None:
        """Answer by the first rule that fits, or by the specification."""
        parts = urlsplit(self.path)
        self.registry.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        for method, pattern, rule in list(self.registry.rules):
            if method in {self.command, "*"} and re.search(pattern, parts.path) and rule(self) is not True:
                return
        self.answer_usually(parts.path, parts.query)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = answer_any  # noqa: N815 -- http.server's names

    def answer_usually(self, path: str, query: str) -> None:
        """Answer as the specification of OCI has it."""
        registry, kind, name = self.registry, *path.split("/")[-2:]
        match self.command, kind:
            case (("GET" | "HEAD"), "blobs"):
                self.give(registry.blobs.get(name))
            case (("GET" | "HEAD"), "manifests"):
                found = registry.manifests.get(name)
                self.give(found, {} if found is None else {"Docker-Content-Digest": digest_of(found)})
            case "POST", _:
                place = f"{path}{next(self.names)}"
                registry.uploads[place] = bytearray()
                self.respond(202, {"Location": place})
            case "PATCH", _:
                begin = int(self.headers["Content-Range"].partition("-")[0])
                if path not in registry.uploads or begin != len(registry.uploads[path]):
                    self.take(bytearray())
                    self.respond(416 if path in registry.uploads else 404)
                    return
                self.take(registry.uploads[path])
                self.tell_range(202, path)
            case "GET", "uploads":
                self.tell_range(204, path) if path in registry.uploads else self.respond(404)
            case "PUT", "uploads":
                content, digest = registry.uploads.pop(path), parse_qs(query)["digest"][0]
                self.take(content)
                if digest_of(content) != digest:
                    self.fail(400, "DIGEST_INVALID", "it differs")
                    return
                registry.blobs[digest] = bytes(content)
                self.respond(201, {"Location": f"/blobs/{digest}"})
            case "PUT", "manifests":
                self.take(content := bytearray())
                registry.manifests[name] = registry.manifests[digest_of(content)] = bytes(content)
                self.respond(201, {"Docker-Content-Digest": digest_of(content)})
            case _:
                self.respond(404)

    def take(self, place: bytearray) -> None:
        """Take in what is sent, as far as it comes."""
        left = int(self.headers["Content-Length"] or 0)
        while left and (piece := self.rfile.read1(min(left, PIECE))):
            place += piece
            left -= len(piece)
            self.registry.taken += len(piece)

    def tell_range(self, status: int, path: str) -> None:
        """Tell how much of an upload is there."""
        length = len(self.registry.uploads[path])
        self.respond(status, {"Location": path, "Range": f"0-{max(0, length - 1)}"})

    def give(self, data: bytes | None, headers: dict[str, str] | None = None) -> None:
        """Give a blob or a manifest, or a part of it."""
        if data is None:
            self.fail(404, "UNKNOWN", "there is none")
            return
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        part = {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"} if begin else {}
        self.respond(206 if begin else 200, {**(headers or {}), **part}, data[begin:])

    def fail(self, status: int, code: str, message: str) -> None:
        """Answer with an error as the specification has it."""
        self.respond(status, {}, json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def respond(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(body)

    def babble(self, begin: bytes, more: bytes) -> None:
        """Write something, and more of something else without an end."""
        with suppress(OSError):
            self.wfile.write(begin)
            while not self.stopped.is_set():
                self.wfile.write(more)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have state of its own, no credentials, and no waiting."""
    for name, folder in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("DOCKER_CONFIG", "docker")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name in ("XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(uploading, "_PAUSE", 0)
    monkeypatch.setattr(downloading, "_PAUSE", 0)


CHUNK = 256 << 10


def use_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have chunks of which a small bundle has several."""
    for name, size in (("CHUNK", CHUNK), ("_LARGEST_CHUNK", CHUNK), ("_SMALLEST_CHUNK", CHUNK // 4)):
        monkeypatch.setattr(uploading, name, size)


def make_chunks(folder: Path, number: int = 5) -> Path:
    """Write a bundle of so many chunks, which do not compress."""
    maker = BundleMaker(folder, runnable=False)
    maker.file(b"/work/big", random.Random(6).randbytes(number * CHUNK))  # noqa: S311 -- the same content each time
    return maker.write(make_run(b"cat big"))


@contextmanager
def serve_odd_registry() -> Iterator[OddRegistry]:
    """Have such a registry inside the block."""
    told = OddRegistry()
    halted = threading.Event()

    class Own(Handler):
        registry = told
        stopped = halted

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.host = f"127.0.0.1:{http.server_port}"
        yield told
        halted.set()
        http.shutdown()
        thread.join()


def log_in(tmp_path: Path, host: str) -> None:
    """Have credentials for a registry."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": BASIC}}}))


def refuse_pull(registry: OddRegistry, tmp_path: Path, reference: str = "study") -> str:
    """Pull, and return the sentence of the refusal; nothing was left, and a terminal would obey nothing of it."""
    new = tmp_path / "new.rpz"
    with pytest.raises(RegistryError) as caught:
        pull_bundle(f"{registry.host}/{reference}", new)
    assert not list(tmp_path.glob("new.rpz*"))
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert len(sentence) < 500
    assert SECRET not in sentence
    return sentence


def send_to(place: str, status: int = 307) -> Rule:
    """Return the rule that redirects."""
    return lambda handler: handler.respond(status, {"Location": place})
