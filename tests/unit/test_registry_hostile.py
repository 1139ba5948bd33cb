"""A registry that means harm: each way that it may try is refused in one sentence, and nothing is left of it."""

import socket
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from odd_registry import (
    Handler,
    OddRegistry,
    Rule,
    digest_of,
    keep_apart,
    refuse_pull,
    send_to,
)
from rtrace.errors import RegistryError
from rtrace.operations.publishing.pulling import pull_bundle
from rtrace.operations.publishing.pushing import push_bundle
from rtrace.registry import guard
from rtrace.registry.artifact import Content, Facts, write_manifest

ESCAPES = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and no credentials."""
    keep_apart(tmp_path, monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without any content to speak of."""
    return BundleMaker(tmp_path / "made", runnable=False).write(make_run(b"true"))


def raw(answer: bytes, more: bytes = b"") -> Rule:
    """Return the rule that writes bytes, and others without an end."""

    def rule(handler: Handler) -> None:
        handler.close_connection = True
        if more:
            handler.babble(answer, more)
        else:
            handler.wfile.write(answer)

    return rule


OK = b"HTTP/1.1 200 OK\r\n"

CONTENTS: dict[str, tuple[Rule, str]] = {
    "more than in the manifest": (raw(OK + b"Content-Length: 99999999\r\n\r\n"), "gives 99999999 bytes where"),
    "less than in the manifest": (raw(OK + b"Content-Length: 1\r\n\r\nx"), "gives 1 bytes where"),
    "no end": (raw(OK + b"\r\n", bytes(1 << 16)), "gives more than the "),
    "no end in pieces": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(1 << 16) + b"\r\n"),
        "gives more than the ",
    ),
    "breaks off": (raw(OK + b"\r\n"), "it ended after 0 of "),
    "no HTTP": (raw(b"\x1b[2J\r\n\r\n"), r"\x1b[2J"),
    "a negative length": (raw(OK + b"Content-Length: -5\r\n\r\n"), "it ended after 0 of "),
    "a part that was not asked for": (
        raw(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 7-9/10\r\n\r\n"),
        "gives another part of the bundle than was asked for",
    ),
    "many headers": (raw(OK + b"A: b\r\n" * 200 + b"\r\n"), "got more than 100 headers"),
    "a long header": (raw(OK + b"A: " + b"b" * 100_000 + b"\r\n\r\n"), "got more than 65536 bytes"),
    "a page for a browser": (
        raw(f"HTTP/1.1 500 {ESCAPES}\r\nContent-Type: text/html\r\n\r\n<b>{ESCAPES}".encode()),
        r"does not give the bundle: 500 \x1b]0;owned\x07\x1b[2J; ask who runs it",
    ),
    "an error in words": (
        lambda handler: handler.fail(403, "DENIED", ESCAPES + "x" * 10_000),
        r"403 Forbidden, DENIED: \x1b]0;owned",
    ),
    "a nested error": (lambda handler: handler.respond(403, {}, b"[" * 60_000), "give the bundle: 403 Forbidden;"),
    "a file of this machine": (send_to("file:///etc/passwd"), "file:///etc/passwd, not http or https"),
    "ftp": (send_to("ftp://127.0.0.1/"), "not http or https"),
    "services of a cloud": (send_to("http://169.254.169.254/latest"), "169.254.169.254, whose address is nearer than"),
    "the same in IPv6": (send_to("http://[::ffff:169.254.169.254]/"), "whose address is nearer than its own"),
    "a password": (send_to("http://a:b@127.0.0.1/"), "a URL with a user name or a password in it"),
    "no place": (lambda handler: handler.respond(307), "what is no URL"),
    "a place with control characters": (send_to("/v2/\x1b[2J"), "what is no URL"),
    "itself": (send_to(""), "what is no URL"),
    "a circle": (lambda handler: handler.respond(302, {"Location": handler.path}), "redirects more than 5 times"),
}  # fmt: skip


@pytest.mark.parametrize("way", CONTENTS)
def test_content_that_means_harm_is_refused(way: str, registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """No more bytes than promised, no other places, and words of the registry as text of one line."""
    push_bundle(bundle, f"{registry.host}/study")
    rule, words = CONTENTS[way]
    registry.add("GET", "/blobs/", rule)
    sentence = refuse_pull(registry, tmp_path)
    assert words in sentence
    assert sentence.startswith(registry.host)


def test_content_of_another_digest_never_gets_the_name(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """One bit is enough, in a bundle that could be opened as well."""
    pushed = push_bundle(bundle, f"{registry.host}/study")
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    registry.blobs[pushed.content.digest] = bytes(data)
    assert f"gives something else than {pushed.content.digest}: its content differs" in refuse_pull(registry, tmp_path)


def test_content_that_is_no_bundle_never_gets_the_name(registry: OddRegistry, tmp_path: Path) -> None:
    """Whoever can push can push anything: what has the right digest has to be a bundle as well."""
    junk = b"#!/bin/sh\necho owned\n"
    facts = Facts(f"sha256:{'0' * 64}", "t", "../../evil")
    registry.keep(junk, write_manifest(Content(digest_of(junk), len(junk)), facts))
    sentence = refuse_pull(registry, tmp_path)
    assert f"{registry.host}/study:latest has no intact bundle: its content" in sentence
    assert "nothing of it was kept" in sentence


def test_bundle_of_another_identity_never_gets_the_name(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """The identity that the manifest promises is the bundle's own."""
    data = bundle.read_bytes()
    registry.keep(data, write_manifest(Content(digest_of(data), len(data)), Facts(ESCAPES, "t", "f")))
    assert r"not \x1b]0;owned\x07\x1b[2J as its manifest says" in refuse_pull(registry, tmp_path)


def test_titles_name_no_file(
    registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file is called here follows from the reference, whatever the manifest says."""
    pushed = push_bundle(bundle, f"{registry.host}/a/study")
    data = bundle.read_bytes()
    facts = Facts(pushed.identity, "../../evil", "/tmp/../evil")
    registry.keep(data, write_manifest(Content(digest_of(data), len(data)), facts))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert pull_bundle(f"{registry.host}/a/study").path == Path("study.rpz")
    assert [path.name for path in Path().iterdir()] == ["study.rpz"]


MANIFESTS: dict[str, tuple[Rule, str]] = {
    "too large": (raw(OK + b"\r\n" + bytes((4 << 20) + 1)), "a manifest of {ref} of more than 4194304 bytes"),
    "no end": (raw(OK + b"\r\n", bytes(1 << 16)), "a manifest of {ref} of more than 4194304 bytes"),
    "a bomb": (raw(OK + b"\r\n" + b'{"a":' * 400_000), "a manifest that is not JSON"),
    "a number": (raw(OK + b"\r\n" + b"9" * 1_000_000), "a manifest that is not JSON"),
    "a lie about its digest": (
        lambda handler: handler.respond(200, {"Docker-Content-Digest": ESCAPES}, b"{}"),
        r"that is not \x1b]0;owned\x07\x1b[2J but sha256:",
    ),
    "none": (
        lambda handler: handler.fail(404, "MANIFEST_UNKNOWN", ESCAPES),
        r"does not have {ref}: 404 Not Found, MANIFEST_UNKNOWN: \x1b]0;owned\x07\x1b[2J; check the name and the tag",
    ),
    "redirected": (send_to("http://169.254.169.254/"), "whose address is nearer than its own"),
}


@pytest.mark.parametrize("way", MANIFESTS)
def test_manifest_that_means_harm_is_refused(way: str, registry: OddRegistry, tmp_path: Path) -> None:
    """Its size is limited before it is parsed, and it is believed by its digest alone."""
    rule, words = MANIFESTS[way]
    registry.add("GET", "/manifests/", rule)
    assert words.format(ref=f"{registry.host}/study:latest") in refuse_pull(registry, tmp_path)


def test_number_of_a_million_digits_is_refused_swiftly(registry: OddRegistry, tmp_path: Path) -> None:
    """A size that takes a computer long to read is not read."""
    manifest = b'{"artifactType": "application/vnd.rtrace.bundle.v1", "layers": [{"size": %s}]}' % (b"9" * 1_000_000)
    registry.keep(b"x", manifest)
    assert "a manifest that is not JSON" in refuse_pull(registry, tmp_path)


def test_another_manifest_than_was_asked_for_is_refused(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """By digest, nothing else can be had."""
    push_bundle(bundle, f"{registry.host}/study")
    wanted = f"sha256:{'0' * 64}"
    registry.manifests[wanted] = registry.manifests["latest"]
    assert f"that is not {wanted} but sha256:" in refuse_pull(registry, tmp_path, f"study@{wanted}")


@pytest.mark.parametrize(
    "rule",
    [
        raw(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        raw(OK + b"X: ", b"y"),
    ],
    ids=["continue", "pieces", "header"],
)
def test_answer_without_an_end_is_not_waited_for(
    rule: Rule, registry: OddRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However an answer is drawn out, the time for all of them, or its size, is limited."""
    monkeypatch.setattr(guard, "TIME_FREE", 1.0)
    registry.add("GET", "/manifests/", rule)
    sentence = refuse_pull(registry, tmp_path)
    assert "slower than rtrace waits" in sentence or "more than" in sentence


@pytest.mark.parametrize(
    "place, words",
    [
        ("file:///etc/passwd", "not http or https"),
        ("http://169.254.169.254/x", "whose address is nearer than its own"),
        ("http://a:b@127.0.0.1/x", "a user name or a password in it"),
        ("", "what is no URL"),
    ],
)
def test_upload_to_where_nobody_goes_is_refused(place: str, words: str, registry: OddRegistry, bundle: Path) -> None:
    """The place of an upload is looked at as a redirection is."""
    registry.add("POST", "/uploads/", lambda handler: handler.respond(202, {"Location": place}))
    with pytest.raises(RegistryError, match=words):
        push_bundle(bundle, f"{registry.host}/study")
    assert registry.methods().count("PATCH") == 0


@pytest.mark.parametrize("told", ["0-0", "0-99999999", "7-9", "bytes=0-5"])
def test_registry_that_counts_wrong_is_told(told: str, registry: OddRegistry, bundle: Path) -> None:
    """A registry says how much it has: no more than was sent, and it comes to an end whatever it says."""

    def rule(handler: Handler) -> None:
        handler.take(bytearray())
        handler.respond(202, {"Location": handler.path, "Range": told})

    registry.add("PATCH", "/uploads/", rule)
    with pytest.raises(RegistryError, match=r"says that it has \d+ bytes of|does not take the bundle"):
        push_bundle(bundle, f"{registry.host}/study")


def test_public_registry_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the registry itself is reached by decides how near a server may be that it leads to."""
    from rtrace.errors import ElsewhereError
    from rtrace.registry.guard import RegistryGuard

    addresses = {"pub.org": "8.8.8.8", "net.org": "10.0.0.1", "own.org": "127.0.0.1", "cdn.org": "9.9.9.9"}

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (addresses[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for registry, allowed in (("pub.org", {"cdn.org"}), ("net.org", {"cdn.org"}), ("own.org", {"cdn.org", "net.org"})):
        one = RegistryGuard(registry)
        one.check(registry, 443)
        for host in addresses.keys() - {registry}:
            if host in allowed | {"pub.org"}:
                assert one.check(host, 443)
            else:
                with pytest.raises(ElsewhereError, match=f"sends rtrace on to {host}, whose address is"):
                    one.check(host, 443)


def test_unknown_hosts_and_closed_ports_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that is not there is told in a sentence, and the name of no file is taken."""
    with pytest.raises(RegistryError, match="localhost:1: Connection refused; try again"):
        pull_bundle("localhost:1/study", tmp_path / "new.rpz")

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(RegistryError, match=r"registry\.example\.org has no address that this machine knows"):
        pull_bundle("registry.example.org/study", tmp_path / "new.rpz")
    assert list(tmp_path.glob("new*")) == []
