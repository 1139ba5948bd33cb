"""References, challenges, credentials and manifests of registries: read in full, or refused in one sentence."""

import base64
import json
from pathlib import Path

import pytest

from rtrace.errors import ConfigurationError, ElsewhereError, RegistryError, UsageError
from rtrace.registry.artifact import (
    ARTIFACT_TYPE,
    CONTENT_TYPE,
    EMPTY_DIGEST,
    Content,
    Facts,
    digest_of,
    read_manifest,
    write_manifest,
)
from rtrace.registry.challenge import Challenge, read_challenges
from rtrace.registry.credentials import Credential, find_credential
from rtrace.registry.guard import Reach, measure, refuse_url
from rtrace.registry.reference import Reference, parse_reference

DIGEST = f"sha256:{'a' * 64}"
FACTS = Facts(f"sha256:{'b' * 64}", "./run.sh é", "bundle-b.rpz", "2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    "text, reference",
    [
        ("localhost/a", Reference("localhost", "a", "latest", None)),
        ("Registry.example.org:5000/ada/study:v1.0", Reference("registry.example.org:5000", "ada/study", "v1.0", None)),
        (f"ghcr.io/ada/s@{DIGEST}", Reference("ghcr.io", "ada/s", None, DIGEST)),
        (f"ghcr.io/ada/s:x@{DIGEST}", Reference("ghcr.io", "ada/s", "x", DIGEST)),
        ("[::1]:5000/a-b__c/d.e", Reference("[::1]:5000", "a-b__c/d.e", "latest", None)),
        ("docker.io/study", Reference("docker.io", "library/study", "latest", None)),
    ],
)
def test_reference_is_read_as_docker_writes_it(text: str, reference: Reference) -> None:
    """Host, port, name, tag and digest; a tag that is not named is `latest`, unless there is a digest."""
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", "study", "ada/study", "study:1.0", "localhost", "localhost/", "localhost//a", "localhost/../a",
        "localhost/a/..", "localhost/./a", "localhost/A", "localhost/a b", "localhost/a:", "localhost/a:b/c",
        "localhost/a:" + "t" * 129, "localhost/" + "a" * 256, "localhost/a@sha256:12", "localhost/a@md5:" + "a" * 64,
        "localhost:/a", "localhost:70000/a", "localhost:x/a", "-x.org/a", "x..org/a", "https://x.org/a", "u@x.org/a",
        "u:p@x.org/a", "x.org/a\n", "x.org/a?b", "x.org/a%2e", "x.org/a\x1b[2J", "[::1/a", "[::1]x/a", "x.org/é",
        "1.2.3.4:5:6/a", "x.org:٣/a",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    """One line, fit for a terminal, with an example; what looks like a path or a URL with a password is none."""
    with pytest.raises(UsageError, match=r"is not a reference: .*; write one such as") as caught:
        parse_reference(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "header, challenges",
    [
        ('Basic realm="x"', [Challenge("basic", "x")]),
        (
            'Bearer realm="https://a/t",service="s, t",scope="repository:a:pull"',
            [Challenge("bearer", "https://a/t", "s, t")],
        ),
        ('Bearer realm = "a\\"b" , Basic realm=c', [Challenge("bearer", 'a"b'), Challenge("basic", "c")]),
        ("Negotiate", [Challenge("negotiate")]),
        ("=", []),
        ('Bearer realm="' + "a" * 9000, [Challenge("bearer")]),
    ],
)
def test_challenge_is_read(header: str, challenges: list[Challenge]) -> None:
    """Schemes with their parameters, quoted or not; nothing of what cannot be read."""
    assert read_challenges([header]) == challenges


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder in which nobody has logged in."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    return tmp_path


def write_json(path: Path, **settings: object) -> None:
    """Write a file of credentials."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))


def encode(name: str, password: str) -> dict[str, str]:
    """Return an entry as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def find(text: str) -> Credential | None:
    """Find the credentials for a reference."""
    return find_credential(parse_reference(text))


def test_credentials_are_those_of_the_host(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's file, then Podman's, each host by itself with its port; the longest name of Podman's wins."""
    assert find("x.org/a/b") is None
    write_json(
        home / ".docker/config.json",
        auths={
            "https://x.org/v1/": encode("dora", "a:b"),
            "y.org:5000": encode("yan", "y"),
            "https://index.docker.io/v1/": {"identitytoken": "t0k", **encode("hub", "")},
        },
    )
    assert find("x.org/a/b") == Credential("dora", "a:b")
    assert find("y.org:5000/a") == Credential("yan", "y")
    assert find("y.org/a") is None
    assert find("x.org.evil.org/a") is None
    assert find("docker.io/a") == Credential("", "", "t0k")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    write_json(
        home / "run/containers/auth.json",
        auths={"x.org": encode("podman", "p"), "x.org/a/b": encode("narrow", "n"), "x.org/a/bc": encode("wrong", "w")},
    )
    assert find("x.org/a") == Credential("podman", "p")
    assert find("x.org/a/b") == Credential("narrow", "n")


def test_password_is_never_shown() -> None:
    """A credential that gets into a message or a log says its name alone."""
    assert "hidden" not in repr(Credential("ada", "hidden", "hidden"))
    assert Credential("ada", "ü:").basic() == "Basic " + base64.b64encode("ada:ü:".encode()).decode()


def write_helper(home: Path, script: str) -> None:
    """Write a program that keeps passwords."""
    helper = home / "bin/docker-credential-safe"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)


def test_program_that_keeps_passwords_is_asked_for_one_host(home: Path) -> None:
    """It is told the host on standard input, and gives a name with a password, or a token; nothing is nothing."""
    write_json(home / ".docker/config.json", credHelpers={"x.org": "safe"})
    write_helper(home, f'echo "$1 $(cat)" > {home}/asked; echo \'{{"Username": "ada", "Secret": "s"}}\'')
    assert find("x.org/a") == Credential("ada", "s")
    assert (home / "asked").read_text() == "get x.org\n"
    assert find("y.org/a") is None
    write_json(home / ".docker/config.json", credsStore="safe", auths={"x.org": {}})
    write_helper(home, 'echo \'{"Username": "<token>", "Secret": "t"}\'')
    assert find("x.org/a") == Credential("", "", "t")
    write_helper(home, "echo credentials not found in native keychain; exit 1")
    assert find("x.org/a") is None


@pytest.mark.parametrize(
    "name, script, sentence",
    [
        ("../../bin/sh", "", "names a program for credentials by what is no name"),
        ("absent", "", "kept by docker-credential-absent, which is not installed"),
        ("safe", "printf '\\033[2Jlocked'; exit 1", "gives no password: \\\\x1b[2Jlocked"),
        ("safe", "echo hello", "answers with what is no password"),
        ("safe", "yes '[' | tr -d '\\n' | head -c 60000", "answers with what is no password"),
        ("safe", "exec sleep 60", "told no password in 0.2 seconds"),
    ],
)
def test_program_that_fails_is_named(
    name: str, script: str, sentence: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence names the program and the file that names it; it is not waited for without an end."""
    monkeypatch.setattr("rtrace.registry.credentials._PATIENCE", 0.2 if "sleep" in script else 30)
    write_json(home / ".docker/config.json", credHelpers={"x.org": name})
    write_helper(home, script)
    with pytest.raises(ConfigurationError) as caught:
        find("x.org/a")
    assert sentence.replace("\\\\", "\\") in str(caught.value)
    assert str(home / ".docker/config.json") in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content", ["", "[", "[]", "[" * 100_000, '{"auths": {"x.org": {"auth": "%%"}}}', " " * (1 << 21)]
)
def test_file_that_is_none_is_named(content: str, home: Path) -> None:
    """A file of credentials that cannot be understood is named, and not passed over."""
    write_json(home / ".docker/config.json")
    (home / ".docker/config.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"config\.json .*; log in to the registry anew"):
        find("x.org/a")


@pytest.mark.parametrize(
    "content", ['{"auths": []}', '{"auths": {"x.org": 1}}', '{"credHelpers": 7, "auths": {"x.org": {}}}']
)
def test_file_without_anything_for_the_host_is_no_mistake(content: str, home: Path) -> None:
    """What is there for other programs is passed over."""
    write_json(home / ".docker/config.json")
    (home / ".docker/config.json").write_text(content)
    assert find("x.org/a") is None


def test_manifest_is_the_same_each_time() -> None:
    """The manifest of a bundle is what it was, to the byte: its digest is in papers."""
    manifest = write_manifest(Content(DIGEST, 12), FACTS)
    assert digest_of(manifest) == "sha256:915fb384db6fa9155be2038fb6deed1de1ef960945ec7a06ceb9ce2173b1c1bc"
    found = json.loads(manifest)
    assert found["artifactType"] == ARTIFACT_TYPE == "application/vnd.rtrace.bundle.v1"
    assert (
        found["config"]["digest"]
        == EMPTY_DIGEST
        == f"sha256:{'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'}"
    )
    assert found["layers"] == [
        {
            "mediaType": CONTENT_TYPE,
            "digest": DIGEST,
            "size": 12,
            "annotations": {"org.opencontainers.image.title": "bundle-b.rpz"},
        }
    ]
    artifact = read_manifest(manifest, "x.org/a")
    assert (artifact.content, artifact.identity) == (Content(DIGEST, 12), FACTS.identity)


def change(**changes: object) -> bytes:
    """Return a manifest with something else in it, or in its layer."""
    manifest = json.loads(write_manifest(Content(DIGEST, 12), FACTS))
    layer = {key: value for key, value in changes.items() if key in manifest["layers"][0]}
    manifest["layers"][0].update(layer)
    manifest.update({key: value for key, value in changes.items() if key not in layer})
    return json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "data, sentence",
    [
        (b"<html>", "a manifest that is not JSON"),
        (b"[" * 200_000, "a manifest that is not JSON"),
        (b'{"a": ' * 200_000, "a manifest that is not JSON"),
        (b"[]", "a manifest that is no object"),
        (b"{}", "not a bundle but a container image"),
        (b'{"manifests": []}', "not a bundle but an index of images"),
        (change(artifactType="a\x1b]0;x\x07"), r"not a bundle but a\\x1b\]0;x\\x07;"),
        (change(artifactType=None), "not a bundle but a container image"),
        (change(layers=[]), "has not the one layer"),
        (change(layers=[1, 2]), "has not the one layer"),
        (change(layers=["x"]), "has not the one layer"),
        (change(layers={"0": 1}), "has not the one layer"),
        (change(mediaType="text/plain"), "a layer that is not a bundle's"),
        (change(digest="sha256:../../etc/passwd"), "whose digest is no SHA-256"),
        (change(digest=f"sha256:{'A' * 64}"), "whose digest is no SHA-256"),
        (change(digest=f"{DIGEST}\n"), "whose digest is no SHA-256"),
        (change(digest=7), "whose digest is no SHA-256"),
        (change(size=-1), "whose size is none"),
        (change(size=True), "whose size is none"),
        (change(size=1e30), "whose size is none"),
        (change(size=1 << 62), "whose size is none"),
        (change(size="12"), "whose size is none"),
    ],
)
def test_what_is_no_manifest_of_a_bundle_is_refused(data: bytes, sentence: str) -> None:
    """One sentence says what it is instead, fit for a terminal."""
    with pytest.raises(RegistryError, match=sentence) as caught:
        read_manifest(data, "x.org/a:1")
    assert str(caught.value).startswith("x.org/a:1 ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "address, reach",
    [
        ("8.8.8.8", Reach.PUBLIC),
        ("10.1.2.3", Reach.NETWORK),
        ("192.168.1.1", Reach.NETWORK),
        ("fd00::1", Reach.NETWORK),
        ("127.0.0.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("0.0.0.0", Reach.MACHINE),  # noqa: S104 -- what is looked at
        ("::ffff:127.0.0.1", Reach.MACHINE),
        ("169.254.169.254", Reach.LINK),
        ("fe80::1%eth0", Reach.LINK),
        ("::ffff:169.254.169.254", Reach.LINK),
        ("224.0.0.1", Reach.LINK),
    ],
)
def test_nearness_of_an_address(address: str, reach: Reach) -> None:
    """An address of IPv6 that stands for one of IPv4 is as near as that."""
    assert measure(address) is reach


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x.org/",
        "http://x.org/",
        "https://u:p@x.org/",
        "https://",
        "//x",
        "https://x:y/",
        "https://[/",
    ],
)
def test_url_that_is_not_followed(url: str) -> None:
    """From TLS no way leads back, and none to other schemes or to a URL with a password."""
    with pytest.raises(ElsewhereError, match="the registry sends rtrace on to"):
        refuse_url(url, "https://x.org/v2/")
    refuse_url("https://y.org:1/a?b", "https://x.org/v2/")
    refuse_url("http://y.org/a", "http://x.org/v2/")
