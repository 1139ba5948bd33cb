"""Who gets a name, a password or a token: the registry, the server that makes its tokens, and nobody else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from odd_registry import (
    BASIC,
    Handler,
    OddRegistry,
    Rule,
    keep_apart,
    log_in,
    refuse_pull,
    send_to,
    serve_odd_registry,
)
from rtrace.errors import RegistryError
from rtrace.operations.publishing.pulling import pull_bundle
from rtrace.operations.publishing.pushing import push_bundle


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and no credentials."""
    keep_apart(tmp_path, monkeypatch)


@pytest.fixture
def other() -> Iterator[OddRegistry]:
    """Another server."""
    with serve_odd_registry() as told:
        yield told


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without any content to speak of."""
    return BundleMaker(tmp_path / "made", runnable=False).write(make_run(b"true"))


def test_secret_goes_to_the_registry_alone(
    registry: OddRegistry, other: OddRegistry, bundle: Path, tmp_path: Path
) -> None:
    """A registry that wants a password gets it; the server that it redirects to for the content does not."""
    pushed = push_bundle(bundle, f"{registry.host}/study")
    log_in(tmp_path, registry.host)

    def rule(handler: Handler) -> bool | None:
        if handler.headers["Authorization"] == f"Basic {BASIC}":
            return True
        handler.respond(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return None

    registry.add("GET", "/blobs/", send_to(f"http://{other.host}/v2/study/blobs/{pushed.content.digest}"))
    registry.add("*", "", rule)
    other.blobs.update(registry.blobs)
    pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")
    assert registry.asked[-1][2]["authorization"] == f"Basic {BASIC}"
    assert len(other.asked) == 1
    assert "authorization" not in other.asked[0][2]
    other.add("GET", "", lambda handler: handler.respond(401, {"WWW-Authenticate": 'Basic realm="x"'}))
    (tmp_path / "new.rpz").unlink()
    assert "does not give the bundle: 401" in refuse_pull(registry, tmp_path)
    assert not any("authorization" in headers for _method, _path, headers in other.asked)


def test_upload_elsewhere_gets_no_secret(
    registry: OddRegistry, other: OddRegistry, bundle: Path, tmp_path: Path
) -> None:
    """The place of an upload may be another server's, which gets the content and nothing else."""
    log_in(tmp_path, registry.host)

    def rule(handler: Handler) -> bool | None:
        if handler.headers["Authorization"]:
            return True
        handler.respond(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return None

    def begin(handler: Handler) -> None:
        other.uploads["/uploads/1"] = bytearray()
        handler.respond(202, {"Location": f"http://{other.host}/uploads/1"})

    registry.add("POST", "/uploads/", begin)
    registry.add("*", "", rule)
    push_bundle(bundle, f"{registry.host}/study")
    assert other.methods() == ["PATCH", "PUT", "PUT"]
    assert not any("authorization" in headers for _method, _path, headers in other.asked)


def want_token(realm: str) -> Rule:
    """Return the rule that wants a token of a realm."""

    def rule(handler: Handler) -> bool | None:
        if handler.path.startswith("/token") or handler.headers["Authorization"] == "Bearer t0k.en":
            return True
        scope = 'scope="repository:secret/other:push"'
        handler.respond(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s v",{scope}'})
        return None

    return rule


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_token_is_fetched_for_this_repository(key: str, registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """The realm gets name and password, and is asked for a token for what is done, not for what the registry says."""
    log_in(tmp_path, registry.host)
    registry.add("GET", "/token", lambda handler: handler.respond(200, {}, json.dumps({key: "t0k.en"}).encode()))
    registry.add("*", "", want_token(f"http://{registry.host}/token?a=b"))
    push_bundle(bundle, f"{registry.host}/ada/study")
    _method, path, headers = next(one for one in registry.asked if one[1].startswith("/token"))
    assert path == "/token?a=b&service=s+v&scope=repository%3Aada%2Fstudy%3Apull%2Cpush"
    assert headers["authorization"] == f"Basic {BASIC}"
    pull_bundle(f"{registry.host}/ada/study", tmp_path / "new.rpz")
    assert registry.asked[-1][2]["authorization"] == "Bearer t0k.en"


def test_token_is_made_of_a_token(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """Where a token is kept instead of a password, the realm makes one of it."""
    (tmp_path / "docker").mkdir()
    entry = {"auths": {registry.host: {"identitytoken": "kept"}}}
    (tmp_path / "docker/config.json").write_text(json.dumps(entry))
    forms: list[bytes] = []

    def make(handler: Handler) -> None:
        forms.append(handler.rfile.read(int(handler.headers["Content-Length"])))
        handler.respond(200, {}, b'{"access_token": "t0k.en"}')

    registry.add("POST", "/token", make)
    registry.add("*", "", want_token(f"http://{registry.host}/token"))
    push_bundle(bundle, f"{registry.host}/study")
    assert b"grant_type=refresh_token&refresh_token=kept" in forms[0]


@pytest.mark.parametrize(
    "realm, words",
    [
        ("file:///etc/passwd", "not http or https"),
        ("http://localhost:{port}/token", "its tokens made by another server, without TLS"),
        ("http://169.254.169.254/token", "its tokens made by another server, without TLS"),
        ("https://169.254.169.254/token", "whose address is nearer than its own"),
        ("http://a:b@{registry}/token", "a user name or a password in it"),
        ("http://{registry}:x/", "what is no URL"),
    ],
)
def test_realm_that_is_somewhere_else_gets_no_password(
    realm: str, words: str, registry: OddRegistry, other: OddRegistry, tmp_path: Path
) -> None:
    """A password goes to the registry itself, or to a server with TLS that is no nearer."""
    log_in(tmp_path, registry.host)
    registry.add("*", "", want_token(realm.format(port=other.host.rpartition(":")[2], registry=registry.host)))
    assert words in refuse_pull(registry, tmp_path)
    assert other.asked == []
    assert not any("authorization" in headers for _method, _path, headers in registry.asked)


@pytest.mark.parametrize(
    "body, words",
    [
        (b"<html>", "gives a token that is none"),
        (b"{}", "gives a token that is none"),
        (b'{"token": "a\\r\\nX: y"}', "gives a token that is none"),
        (b'{"token": "' + b"t" * 40_000 + b'"}', "gives a token that is none"),
        (b"x" * 300_000, "gives a token of more than 262144 bytes"),
    ],
)
def test_token_that_is_none_is_refused(body: bytes, words: str, registry: OddRegistry, tmp_path: Path) -> None:
    """A token is one word of a limited length; anything else gets into no header."""
    registry.add("GET", "/token", lambda handler: handler.respond(200, {}, body))
    registry.add("*", "", want_token(f"http://{registry.host}/token"))
    assert words in refuse_pull(registry, tmp_path)


def test_redirected_token_is_not_followed(registry: OddRegistry, other: OddRegistry, tmp_path: Path) -> None:
    """Where a password goes is not for its receiver to say."""
    log_in(tmp_path, registry.host)
    registry.add("GET", "/token", send_to(f"http://{other.host}/token"))
    registry.add("*", "", want_token(f"http://{registry.host}/token"))
    assert "does not let you at study: 307" in refuse_pull(registry, tmp_path)
    assert other.asked == []


def test_who_is_not_logged_in_is_told_how(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """Without credentials, and with wrong ones, the sentence says what to do."""
    registry.add("*", "", lambda handler: handler.respond(401, {"WWW-Authenticate": 'Basic realm="x"'}))
    assert f"wants to know who you are; log in with `docker login {registry.host}`" in refuse_pull(registry, tmp_path)
    log_in(tmp_path, registry.host)
    with pytest.raises(RegistryError, match=r"the credentials that are kept for .* do not allow it: log in anew"):
        push_bundle(bundle, f"{registry.host}/study")
