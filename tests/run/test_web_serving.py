"""`rtrace web` as a process: who it listens to, how it ends, and real traces and bundles on its pages."""

from __future__ import annotations

import contextlib
import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote, urlencode

import pytest

from postgresql_server import PASSWORD, serve_postgresql
from rtrace.opening import open_bundle
from rtrace.record.document import Record
from rtrace.record.empty import empty_record
from rtrace.record.history.opening import open_history
from rtrace.web import serving
from rtrace.web.site import Site
from web_browser import Served, serve_history
from web_history import fill_history, write_file

Run = Callable[..., subprocess.CompletedProcess[bytes]]


class Browser:
    """What asks for pages as a browser that was let in."""

    def __init__(self, served: Served) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self._base = served.base
        self._opener.open(served.address).close()

    def post(self, path: str, form: Mapping[str, str]) -> None:
        """Send a form of a page."""
        headers = {"Origin": self._base.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        request = urllib.request.Request(self._base + path.lstrip("/"), urlencode(form).encode(), headers)  # noqa: S310
        self._opener.open(request).close()

    def get(self, path: str) -> bytes:
        """Return what an address answers."""
        with self._opener.open(self._base + path.lstrip("/")) as response:
            data: bytes = response.read()
        return data


def ask(served: Served, request: bytes) -> bytes:
    """Return all that the server says to some bytes before it closes the connection."""
    port = int(served.base.rpartition(":")[2].strip("/"))
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):  # it has not read all that it refused
            connection.sendall(request)
            while part := connection.recv(1 << 16):
                answer += part
    return answer


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A history of a few runs."""
    fill_history(tmp_path / "history", tmp_path / "experiment")
    return tmp_path / "history"


def test_address_is_printed_and_ctrl_c_ends_it(place: Path) -> None:
    """The address is on standard error, on the loopback interface alone; Ctrl-C and SIGTERM end it as any command."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with serve_history(place) as served:
            assert str(place) in served.said
            port = int(served.base.rpartition(":")[2].strip("/"))
            listening = Path("/proc/net/tcp").read_text("ascii") + Path("/proc/net/tcp6").read_text("ascii")
            assert re.findall(rf" (\w+):{port:04X} \w+:0000 0A", listening) == ["0100007F"]
            served.process.send_signal(number)
            _, said = served.process.communicate(timeout=60)
            assert served.process.returncode == 128 + number
            assert said == f"rtrace: interrupted by {signal.Signals(number).name}; the pages are no longer served\n"


def test_port_can_be_chosen(place: Path, rtrace: Run) -> None:
    """A port that is taken is told in a sentence, with IPv6 as well."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        for options in ((), ("--ipv6",)):
            done = rtrace("web", "--no-open", "--history", place, "--port", port, *options)
            assert done.returncode == 125
            assert f"port {port} of 127.0.0.1: somebody else listens there; choose another one" in done.stderr.decode()
    with serve_history(place, "--no-open", "--port", port) as served:
        assert served.base == f"http://127.0.0.1:{port}/"


def test_ipv6_is_served_when_asked_for(place: Path, rtrace: Run) -> None:
    """With --ipv6 the same pages are on ::1, under that name; on a machine without IPv6 a sentence says so."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        done = rtrace("web", "--no-open", "--ipv6", "--history", place)
        assert done.returncode == 125
        assert b"::1" in done.stderr
        return
    with serve_history(place, "--no-open", "--ipv6") as served:
        other = Served(served.process, served.address.replace("127.0.0.1", "[::1]"), served.said)
        assert b"trend-0.1" in Browser(other).get("/")
        assert b"trend-0.1" in Browser(served).get("/")


def test_browser_is_opened_with_a_ticket(place: Path, tmp_path: Path) -> None:
    """What the browser's command line shows to everybody on the machine is not the token, and is good once."""
    pipe, browser = tmp_path / "asked", tmp_path / "browser"
    os.mkfifo(pipe)
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" >{pipe}\n', "utf-8")
    browser.chmod(0o755)
    with serve_history(place, "--port", "0", environment={"BROWSER": f"{browser} %s"}) as served:
        opened = pipe.read_text("utf-8")
        assert opened.startswith(f"{served.base}?ticket=")
        assert served.address.partition("token=")[2] not in opened
        Browser(Served(served.process, opened, ""))
        with pytest.raises(urllib.error.HTTPError) as refused:
            Browser(Served(served.process, opened, ""))
        assert refused.value.code == 403
        refused.value.close()
        Browser(served)


def test_requests_have_limits(place: Path) -> None:
    """A request whose headers or form are endless, or that is none, is refused, and the server goes on."""
    with serve_history(place) as served:
        host = served.base.removeprefix("http://").strip("/").encode()
        close = b"Connection: close\r\n"
        begin = b"POST /run/x/annotate HTTP/1.1\r\nHost: " + host + b"\r\n" + close
        assert ask(served, begin + b"Content-Length: 9999999\r\n\r\n").startswith(b"HTTP/1.1 413")
        assert ask(served, begin + b"X: " + b"x" * (1 << 16))[:12] in {b"HTTP/1.1 431", b"HTTP/1.0 431", b""}
        assert ask(served, b"\x16\x03\x01 rubbish\r\n\r\n").startswith(b"HTTP/1.0 400")
        refused = ask(served, b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + close + b"\r\n")
        assert refused.startswith(b"HTTP/1.1 421")
        assert b"\r\nServer:" not in refused
        assert b"trend" in Browser(served).get("/")


def test_idle_connections_make_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that ask for nothing, more than there may be, keep no browser out: the oldest ones are closed."""
    monkeypatch.setattr(serving, "_CONNECTIONS", 10)
    monkeypatch.setattr(serving, "_IDLE", 3600)

    def answer(_environ: object, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return [b"page"]

    with serving.listening(0, ipv6=False) as sockets, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", serving.find_port(sockets))
        stack.enter_context(serving.serving(cast("Site", answer), sockets))
        idle = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(30)]
        for asking in (socket.create_connection(address, timeout=60), idle[-1]):
            stack.enter_context(asking)
            asking.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            reader = stack.enter_context(asking.makefile("rb"))
            assert next(iter(reader.readline, b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
            assert list(iter(reader.readline, b"\r\n"))
            assert reader.read(4) == b"page"
        assert [one.recv(1) for one in idle[:20]] == [b""] * 20


def test_missing_library_is_named(place: Path) -> None:
    """Without what the extra `web` installs, one sentence says how to get it."""
    for name in ("werkzeug", "waitress"):
        program = (
            f"import sys; sys.modules[{name!r}] = None; sys.argv = ['rtrace', 'web', '--history', {str(place)!r}]\n"
            "from rtrace.cli import main; main()"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
        assert done.returncode == 125
        assert f"`rtrace web` needs {name}: pip install 'rtrace-repro[web]'" in done.stderr
        assert done.stderr.count("\n") == 1


def trace_pipeline(rtrace: Run, folder: Path, place: Path) -> Record:
    """Trace a small pipeline, and return its record out of the history."""
    folder.mkdir()
    (folder / "in.txt").write_bytes(b"b\na\n")
    (folder / "list.txt").write_bytes(b"2\n1\n")
    command = "sort in.txt -o sorted.tmp; mv sorted.tmp sorted.txt; cp sorted.txt copy.txt; sort list.txt -o list.txt"
    said = ("--label", "pipeline", "-m", "To see <who> wrote what", "-t", "real")
    done = rtrace("trace", *said, "sh", "-c", command, cwd=folder, env={"RTRACE_HISTORY": str(place)})
    assert done.returncode == 0, done.stderr
    history = open_history(str(place))
    return history.read(next(history.identifiers()))


def number_of(record: Record, kind: Literal["inputs", "outputs"], name: str) -> int:
    """Return the number of a file in a list of a record."""
    return [Path(file["path"]).name for file in record[kind]].index(name)


def test_traced_run_is_shown(rtrace: Run, tmp_path: Path) -> None:
    """What `rtrace trace` has noted is on the pages: arrows lead from a file to who read it, and on to what that wrote.

    A file that the run has changed is shown as it was, out of the trace, and as it is.
    """
    record = trace_pipeline(rtrace, tmp_path / "pipeline", tmp_path / "history")
    run = f"/run/{record['id']}"
    with serve_history(tmp_path / "history") as served:
        browser = Browser(served)
        assert b"To see &lt;who&gt; wrote what" in browser.get("/?tag=real")
        assert b"sort in.txt -o sorted.tmp" in browser.get(run)
        text = browser.get(f"{run}/graph").decode()
        labels = dict(re.findall(r'id="([^"]+)" href="[^"]+"><title>[^<]*</title>.*?<text[^>]*>([^<]*)</text>', text))
        arrows = {
            (labels[source].partition(" ")[0], labels[target].partition(" ")[0])
            for look, source, target in re.findall(r'class="arrow (\w+)" data-from="([^"]+)" data-to="([^"]+)"', text)
            if look != "child"
        }
        assert {("in.txt", "sort"), ("mv", "sorted.txt"), ("sorted.txt", "cp"), ("cp", "copy.txt")} <= arrows
        assert ("in.txt", "cp") not in arrows
        before, after = number_of(record, "inputs", "list.txt"), number_of(record, "outputs", "list.txt")
        assert browser.get(f"{run}/file/inputs/{before}/save") == b"2\n1\n"
        assert browser.get(f"{run}/file/outputs/{after}/save") == b"1\n2\n"


def test_bundle_is_sent_byte_for_byte(rtrace: Run, tmp_path: Path) -> None:
    """A bundle comes as it lies there; after another one took its place, it does not; its inputs are shown from it."""
    folder = tmp_path / "experiment"
    given = write_file(folder / "in.txt", b"only in the bundle\n")
    assert rtrace("trace", "--no-history", "cat", "in.txt", cwd=folder).returncode == 0
    assert rtrace("pack", cwd=folder).returncode == 0
    bundle = folder / "bundle.rpz"
    with open_bundle(bundle) as opened:
        identity = opened.identity
    record = empty_record()
    record["inputs"] = [given]
    record["bundles"] = [{"path": str(bundle), "identity": f"sha256:{identity}", "run": "run1", "doi": None}]
    open_history(str(tmp_path / "history")).add(record)
    (folder / "in.txt").unlink()
    with serve_history(tmp_path / "history") as served:
        browser = Browser(served)
        assert browser.get(f"/run/{record['id']}/bundle/0") == bundle.read_bytes()
        assert b"only in the bundle" in browser.get(f"/run/{record['id']}/file/inputs/0")
        bundle.unlink()
        (folder / "in.txt").write_bytes(b"other\n")
        assert rtrace("trace", "--no-history", "--overwrite", "cat", "in.txt", cwd=folder).returncode == 0
        assert rtrace("pack", cwd=folder).returncode == 0
        for path in (f"/run/{record['id']}/bundle/0", f"/run/{record['id']}/file/inputs/0/save"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                browser.get(path)
            assert refused.value.code == 404
            refused.value.close()


@pytest.mark.requires("postgresql")
def test_history_in_a_database_is_shown(tmp_path: Path) -> None:
    """The runs of a PostgreSQL server are shown and annotated, several pages at once, and its password is nowhere."""
    with serve_postgresql() as server:
        history = open_history(server.url)
        records = fill_history(server.url, tmp_path / "experiment")
        with serve_history(server.url) as served, ThreadPoolExecutor(8) as pool:
            browser = Browser(served)
            run = f"/run/{records[0]['id']}"
            paths = ["/", "/?q=depends", run, f"{run}/graph", f"{run}/file/inputs/0"] * 8
            pages = list(pool.map(browser.get, paths))
            assert all(b"trend-0.1" in page for page in pages)
            assert server.shown in served.said
            assert not any(quote(PASSWORD, safe="").encode() in page or PASSWORD.encode() in page for page in pages)
            assert PASSWORD not in served.said
            check = re.findall(rb'name="check" value="(\w+)"', pages[2])[0].decode()
            browser.post(f"{run}/annotate", {"check": check, "outcome": "written in a database"})
            assert history.read(records[0]["id"])["outcome"] == "written in a database"
        history.catalogue().close()
