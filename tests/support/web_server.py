"""A web server on the loopback interface that behaves as well or as badly as a test wants."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """A web server on the loopback interface: what it has, how it behaves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    breaks_after: int | None = None
    knows_ranges: bool = True
    announces_length: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    drips: bool = False
    """Whether it gives a byte now and then, without an end."""
    babbles: bool = False
    """Whether a redirection has a content without an end."""


@contextmanager
def serve() -> Iterator[Server]:
    """Have a web server that is there inside the block."""
    told = Server()
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            told.asked.append((self.path, wanted))
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            if told.drips:
                self.drip()
                return
            if self.path in told.redirects:
                self.send_response(302)
                self.send_header("Location", told.redirects[self.path])
                self.end_headers()
                with suppress(OSError):
                    while told.babbles:
                        self.wfile.write(bytes(1 << 16))
                return
            content = told.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and told.knows_ranges else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if told.announces_length:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content) if told.breaks_after is None else start + told.breaks_after
            self.wfile.write(content[start:end])

        def drip(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not stopped.wait(0.01):
                    self.wfile.write(b"X-More: x\r\n" if told.announces_length else b"x")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.url = f"http://127.0.0.1:{http.server_port}"
        yield told
        stopped.set()
        http.shutdown()
        thread.join()
