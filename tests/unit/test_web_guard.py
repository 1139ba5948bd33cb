"""Who is let in by `rtrace web`, and who is not."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug.test import Client

from rtrace.web.peers import find_user, is_own_connection
from web_client import BASE, FORM, Pages, make_pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The pages of a small history."""
    return make_pages(tmp_path)


def test_nothing_is_shown_without_the_token(pages: Pages) -> None:
    """A browser that never brought the token gets 403 for every address, style sheet included, and learns nothing."""
    for path in ("/", pages.run, f"{pages.run}/record.json", "/static/style.css", "/nothing", "/?token=wrong"):
        response = Client(pages.site).get(path, base_url=BASE)
        assert response.status_code == 403
        assert "trend" not in response.text
        assert str(pages.folder) not in response.text
    assert Client(pages.site).post(f"{pages.run}/annotate", base_url=BASE, headers=FORM).status_code == 403


def test_token_becomes_a_cookie(pages: Pages) -> None:
    """The token is exchanged for another secret in a cookie that scripts and other sites do not get, and is gone."""
    response = Client(pages.site).get(f"/help?token={pages.guard.token}&x=1", base_url=BASE)
    assert (response.status_code, response.location) == (303, "/help?x=1")
    cookie = response.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert cookie.startswith("rtrace-8000=")
    assert pages.guard.token not in cookie


def test_arrival_leads_nowhere_else(pages: Pages) -> None:
    """A token in an address that looks like one of another host leads to a page here."""
    for path in ("//evil.example/x", "/\\evil.example"):
        response = Client(pages.site).get(path, base_url=BASE, query_string={"token": pages.guard.token})
        assert response.location is not None
        assert response.location.startswith("/")
        assert not response.location.startswith(("//", "/\\"))


def test_link_from_elsewhere_arrives(pages: Pages) -> None:
    """Followed from another page, whose redirections come without our cookie, the token leads on by a page of ours."""
    response = Client(pages.site).get(
        f"/?token={pages.guard.token}", base_url=BASE, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert response.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/"' in response.text
    assert "Set-Cookie" in response.headers


def test_ticket_is_good_once(pages: Pages) -> None:
    """What stands on the browser's command line lets one request in, from a process of this user, and no second."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as connection:
            environ = {
                "REMOTE_ADDR": "127.0.0.1",
                "REMOTE_PORT": str(connection.getsockname()[1]),
                "SERVER_PORT": str(port),
            }
            ticket = pages.guard.make_ticket()
            client = Client(pages.site)
            first = client.get(f"/?ticket={ticket}", base_url=BASE, environ_overrides=environ)
            again = Client(pages.site).get(f"/?ticket={ticket}", base_url=BASE, environ_overrides=environ)
    assert (first.status_code, again.status_code) == (303, 403)


def test_another_users_program_is_refused_whatever_it_brings(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of somebody else on another port of this host is sent the cookie by every browser that visits it."""
    environ = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "SERVER_PORT": "8000"}
    monkeypatch.setattr("rtrace.web.peers.find_user", lambda *_: os.getuid() + 1)
    for path in ("/", f"/?token={pages.guard.token}"):
        assert pages.client.get(path, base_url=BASE, environ_overrides=environ).status_code == 403
    monkeypatch.setattr("rtrace.web.peers.find_user", lambda *_: os.getuid())
    assert pages.client.get("/", base_url=BASE, environ_overrides=environ).status_code == 200


def test_kernel_tells_whose_connection_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is traced to the user of its other end; another user's is refused."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as connection:
            other = connection.getsockname()[1]
            environ = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": str(other), "SERVER_PORT": str(port)}
            assert find_user("127.0.0.1", other, port) == os.getuid()
            assert is_own_connection(environ)
            monkeypatch.setattr("rtrace.web.peers.find_user", lambda *_arguments: 54321)
            assert not is_own_connection(environ)
    assert not is_own_connection({})


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1:8001", "127.0.0.1", "localhost:80", "[::1]:8000", ""])
def test_other_names_are_refused(pages: Pages, host: str) -> None:
    """A page whose name was made to lead to this machine (DNS rebinding) gets 421, with the token and cookie, too."""
    response = pages.client.get("/", base_url=BASE, headers={"Host": host})
    assert response.status_code == 421
    assert "trend" not in response.text


def test_forms_of_others_are_refused(pages: Pages) -> None:
    """A form has to come from a page of this server: by its origin, by the browser's word, and by its secret."""
    address = f"{pages.run}/annotate"
    wrong: list[dict[str, str]] = [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "null"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ]
    for headers in wrong:
        assert pages.post(address, {"reason": "bad"}, headers).status_code == 403
    for check in ("", "0" * 64):
        assert pages.post(address, {"reason": "bad", "check": check}).status_code == 403
    assert pages.stored()["reason"] == pages.records[0]["reason"]
    for good in ({"Origin": BASE}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, FORM):
        assert pages.post(address, {"reason": "good"}, good).status_code == 303


def test_every_answer_has_the_headers(pages: Pages) -> None:
    """Pages, errors, files and refusals say the same to the browser; no policy has `unsafe-inline`."""
    outputs = f"{pages.run}/file/outputs"
    for path in (
        "/",
        "/help",
        pages.run,
        f"{pages.run}/graph",
        "/nothing",
        f"{outputs}/0/picture",
        f"{outputs}/3/save",
    ):
        for client in (pages.client, Client(pages.site)):
            headers = client.get(path, base_url=BASE, buffered=True).headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Cache-Control"] == "no-store"


def test_only_pages_that_exist_answer(pages: Pages) -> None:
    """Other methods, other files and identifiers of another form get an error page, and no traceback."""
    run = pages.records[0]["id"]
    for path in (
        "/static/../site.py", "/static/%2e%2e/site.py", "/static/nothing", "/run/..%2f..%2fetc", f"/run/{run[:-1]}",
        f"/run/{'0' * 8}-0000-0000-0000-{'0' * 12}", f"{pages.run}/file/environment/0", f"{pages.run}/file/outputs/99",
        f"{pages.run}/file/outputs/-1", f"{pages.run}/bundle/0", f"{pages.run}/list/machine",
        f"{pages.run}/file/inputs/x",
    ):  # fmt: skip
        response = pages.get(path)
        assert response.status_code == 404, path
        assert "Traceback" not in response.text
    for path in ("/?page=x", "/?page=0", "/?status=odd", "/?since=tomorrow", "/?param=rate", "/compare?run=last"):
        assert pages.get(path).status_code == 400, path
    assert pages.client.delete("/", base_url=BASE).status_code == 405
    assert pages.client.post("/", base_url=BASE, headers=FORM).status_code == 405
