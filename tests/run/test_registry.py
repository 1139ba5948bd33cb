"""Bundles in a real registry: pushed and pulled, seen by other programs, and killed at any moment."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_making import BundleMaker, make_run
from odd_registry import Handler, digest_of, keep_apart, make_chunks, serve_odd_registry
from registry_server import NAME, PASSWORD, RegistryServer, make_certificate, serve_registry

Rtrace = Callable[..., CompletedProcess[bytes]]
KILLS = int(os.environ.get("RTRACE_KILLS", "5"))
SEED = int(os.environ.get("RTRACE_KILLS_SEED", "1"))

pytestmark = pytest.mark.requires("docker-registry", "htpasswd", "openssl")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and no credentials."""
    keep_apart(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that lets everybody do everything."""
    with serve_registry(tmp_path_factory.mktemp("registry") / "own") as told:
        yield told


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 20 MiB that does not compress: several chunks."""
    return make_chunks(tmp_path_factory.mktemp("bundle"), 80)


def test_bundle_comes_back_as_it_was(registry: RegistryServer, bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """Pushed, pulled by the digest that was printed, the same to the byte; a second push sends nothing."""
    done = rtrace("push", "--json", bundle, f"{registry.host}/ada/study:1.0")
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert (told["sent"], told["size"], told["tag"]) == (True, bundle.stat().st_size, "1.0")
    sent = registry.requests("PATCH")
    again = rtrace("push", bundle, f"{registry.host}/ada/study:2.0")
    assert b"was there" in again.stderr
    assert registry.requests("PATCH") == sent
    assert len(sent) > 1
    done = rtrace("pull", told["reference"])
    assert done.returncode == 0, done.stderr
    assert f"identity: {told['identity']}".encode() in done.stderr
    assert (tmp_path / "study.rpz").read_bytes() == bundle.read_bytes()
    refused = rtrace("pull", told["reference"])
    assert (refused.returncode, refused.stderr) == (
        125,
        b"rtrace: study.rpz exists already; remove it or name another file\n",
    )
    absent = rtrace("pull", f"{registry.host}/ada/study:3.0", "x.rpz")
    assert absent.returncode == 125
    assert f"does not have {registry.host}/ada/study:3.0: 404 Not Found, MANIFEST_UNKNOWN".encode() in absent.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "study.rpz"]
    assert list((tmp_path / "state").rglob("*.json")) == []


@pytest.mark.requires("skopeo")
def test_other_programs_see_an_artifact(registry: RegistryServer, bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """Skopeo reads the manifest, whose digest is the one printed, and copies the artifact so that it can be pulled."""
    told = json.loads(rtrace("push", "--json", bundle, f"{registry.host}/seen:1").stdout)
    address = f"docker://{registry.host}/seen"
    raw = subprocess.check_output(["skopeo", "inspect", "--raw", "--tls-verify=false", f"{address}:1"])
    assert digest_of(raw) == told["digest"]
    manifest = json.loads(raw)
    assert manifest["artifactType"] == "application/vnd.rtrace.bundle.v1"
    assert manifest["annotations"]["rtrace.bundle.identity"] == told["identity"]
    assert [layer["digest"] for layer in manifest["layers"]] == [told["content"]]
    unsafe = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run(["skopeo", "copy", "-q", *unsafe, f"{address}:1", f"docker://{registry.host}/copy:1"], check=True)
    done = rtrace("pull", f"{registry.host}/copy:1", tmp_path / "copy.rpz")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.rpz").read_bytes() == bundle.read_bytes()
    folder = tmp_path / "image"
    subprocess.run(["skopeo", "copy", "-q", *unsafe, f"{address}:1", f"dir:{folder}"], check=True)
    assert (folder / told["content"].removeprefix("sha256:")).read_bytes() == bundle.read_bytes()


@pytest.mark.requires("skopeo")
def test_password_and_certificate(tmp_path: Path, rtrace: Rtrace) -> None:
    """A registry with TLS and a password: a certificate that is known, by option or by variable, and a log-in."""
    bundle = BundleMaker(tmp_path / "made", runnable=False).write(make_run(b"true"))
    authority, certificate, key = make_certificate(tmp_path / "tls")
    with serve_registry(tmp_path / "own", password=True, certificate=(certificate, key)) as registry:
        name = f"{registry.host}/ada/study"
        unknown = rtrace("push", bundle, name)
        assert unknown.returncode == 125
        assert b"has a certificate that cannot be trusted" in unknown.stderr
        assert b"with --ca" in unknown.stderr
        assert rtrace("push", "--ca", bundle, bundle, name).returncode == 2
        nobody = rtrace("push", "--ca", authority, bundle, name)
        assert nobody.returncode == 125
        assert f"log in with `docker login {registry.host}`".encode() in nobody.stderr
        log_in(registry.host, authority, tmp_path)
        done = rtrace("push", "--ca", authority, bundle, name)
        assert done.returncode == 0, done.stderr
        done = rtrace("pull", name, tmp_path / "new.rpz", env={"SSL_CERT_FILE": str(authority)})
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "new.rpz").read_bytes() == bundle.read_bytes()
        plain = rtrace("pull", "--plain-http", name, tmp_path / "other.rpz")
        assert plain.returncode == 125
        assert PASSWORD.encode() not in done.stderr + plain.stderr
        debugged = rtrace("pull", "--debug", "--ca", authority, name, tmp_path / "debugged.rpz")
        shown = (tmp_path / "docker/config.json").read_text().split('"auth": "')[1].split('"')[0]
        assert debugged.returncode == 0
        assert not any(word.encode() in debugged.stderr for word in (PASSWORD, shown))


def log_in(host: str, authority: Path, tmp_path: Path) -> None:
    """Log in with skopeo, into the file that Docker has as well."""
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    shutil.copy(authority, certificates / "ca.crt")
    (tmp_path / "docker").mkdir()
    command: list[str | Path] = [
        "skopeo",
        "login",
        "--authfile",
        tmp_path / "docker/config.json",
        "--cert-dir",
        certificates,
    ]
    subprocess.run([*command, "-u", NAME, "-p", PASSWORD, host], check=True, capture_output=True)


def start(*arguments: str | Path, cwd: Path) -> "subprocess.Popen[bytes]":
    """Start rtrace, and let it run."""
    return subprocess.Popen(
        [sys.executable, "-m", "rtrace", *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def kill_when(process: "subprocess.Popen[bytes]", has_come: Callable[[], bool]) -> None:
    """Kill a command as soon as it has come so far, or a moment later; it may be over by then."""
    while process.poll() is None and not has_come():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def read_done(folder: Path) -> int:
    """Return how far the upload is that is written down in a folder for state; -1 for none."""
    try:
        return max((json.loads(path.read_text())["done"] for path in folder.rglob("upload.json")), default=-1)
    except FileNotFoundError:  # it has just been done
        return -1


def test_push_that_is_killed_is_done_by_the_next(
    registry: RegistryServer, bundle: Path, tmp_path: Path, rtrace: Rtrace
) -> None:
    """Whenever a push is killed, the next one ends with the bundle there, and with nothing left here."""
    chance = random.Random(SEED)  # noqa: S311 -- the same moments each time
    for number in range(KILLS):
        name = f"{registry.host}/killed{number}"
        wanted = chance.uniform(-0.2, 0.8) * bundle.stat().st_size
        process = start("push", bundle, name, cwd=tmp_path)
        kill_when(process, lambda wanted=wanted: read_done(tmp_path / "state") >= max(0, wanted))  # type: ignore[misc]
        begun = read_done(tmp_path / "state") >= 0
        done = rtrace("push", bundle, name)
        assert done.returncode == 0, done.stderr
        words = (b"going on with", b"begins anew", b"was there")
        assert not begun or any(word in done.stderr for word in words), done.stderr
        assert list((tmp_path / "state/rtrace/uploads").iterdir()) == []
        target = tmp_path / f"{number}.rpz"
        assert rtrace("pull", name, target).returncode == 0
        assert target.read_bytes() == bundle.read_bytes()
        target.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


def test_pull_that_is_killed_is_done_by_the_next(
    registry: RegistryServer, bundle: Path, tmp_path: Path, rtrace: Rtrace
) -> None:
    """Whenever a pull is killed, no half file has the name, and the next one says what it goes on with."""
    chance = random.Random(SEED)  # noqa: S311 -- as above
    name = f"{registry.host}/pulled"
    assert rtrace("push", bundle, name).returncode == 0

    def measure(number: int) -> int:
        return sum(part.stat().st_size for part in tmp_path.glob(f"{number}.rpz.part-*"))

    for number in range(KILLS):
        target = tmp_path / f"{number}.rpz"
        wanted = chance.uniform(0, 1) * bundle.stat().st_size
        process = start("pull", name, target, cwd=tmp_path)
        kill_when(process, lambda number=number, wanted=wanted: measure(number) >= wanted)  # type: ignore[misc]
        here = measure(number)
        if target.exists():
            assert not here
        else:
            done = rtrace("pull", name, target)
            assert done.returncode == 0, done.stderr
            assert (b"going on with an earlier `rtrace pull`" in done.stderr) == bool(here)
        assert target.read_bytes() == bundle.read_bytes()
        assert list(tmp_path.glob("*.part-*")) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_push_goes_on_where_it_was_ended(number: signal.Signals, bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """A registry that keeps what it has gets nothing twice; who interrupts is told that nothing is lost."""
    with serve_odd_registry() as registry:
        process = start("push", bundle, f"{registry.host}/study", cwd=tmp_path)
        reached: list[int] = []

        def rule(handler: Handler) -> bool | None:
            upload = registry.uploads[handler.path]
            if len(upload) < 8 << 20:
                return True
            piece = handler.rfile.read(1_000_000)
            upload += piece
            registry.taken += len(piece)
            process.send_signal(number)
            process.wait()
            reached.append(len(upload))
            handler.close_connection = True
            return None

        registry.add("PATCH", "/uploads/", rule)
        words = process.communicate()[1]
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
        if number == signal.SIGINT:
            assert words == b"rtrace: interrupted by SIGINT; the same command goes on with what is there\n"
        registry.rules.clear()
        done = rtrace("push", "--json", bundle, f"{registry.host}/study")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [told["resumed"]] == reached
        assert b"going on with an earlier `rtrace push`: " in done.stderr
        assert registry.blobs[told["content"]] == bundle.read_bytes()
        assert registry.taken == told["size"] + len(b"{}") + len(registry.manifests["latest"])


def test_pull_that_is_interrupted_keeps_its_part(bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """After Ctrl-C the part is there, without the name, and the next pull asks for the rest alone."""
    with serve_odd_registry() as registry:
        assert rtrace("push", bundle, f"{registry.host}/study").returncode == 0
        process = start("pull", f"{registry.host}/study", cwd=tmp_path)

        def rule(handler: Handler) -> None:
            data = bundle.read_bytes()
            handler.respond(200, {"Content-Length": str(len(data))}, data[: 8 << 20])
            while not any(part.stat().st_size >= 7 << 20 for part in tmp_path.glob("*.part-*")):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.wait()
            handler.close_connection = True

        registry.add("GET", "/blobs/", rule)
        assert process.communicate()[1] == (
            b"rtrace: interrupted by SIGINT; the same command goes on with what is there\n"
        )
        (part,) = tmp_path.glob("study.rpz*")
        registry.rules.clear()
        size = part.stat().st_size
        done = rtrace("pull", "--json", f"{registry.host}/study")
        assert json.loads(done.stdout)["resumed"] == size > 0
        assert registry.asked[-1][2]["range"] == f"bytes={size}-"
        assert (tmp_path / "study.rpz").read_bytes() == bundle.read_bytes()
