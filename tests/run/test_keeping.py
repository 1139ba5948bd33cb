"""Outputs of real runs in data stores: folders, archives, a real WebDAV server; and stores that are away."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dav_server import NAME, PASSWORD, find_port, serve_dav

SCRIPT = 'printf "$1" >a.txt; cp a.txt "b ü.txt"; seq 100000 >big; exit "$2"'

PROBLEM, AGAIN = "rtrace: outputs were not kept: ", "; the next run with rtrace tries again"
KEYS = "archive, folder, mirror, webdav"


@dataclass
class Person:
    """Somebody with a home, a configuration and a folder of experiments."""

    home: Path
    said: list[str] = field(default_factory=list)

    def configure(self, text: str) -> None:
        """Write the configuration file."""
        path = self.home / ".config/rtrace/config.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def trace(self, name: str, *, status: int = 0, options: tuple[str, ...] = ()) -> dict[str, Any]:
        """Trace a run that writes three files, two of them the same; return its record."""
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "rtrace", "trace", *options, "sh", "-c", SCRIPT, "sh", name, str(status)],
            cwd=folder,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stderr
        self.said = [line for line in done.stderr.splitlines() if "traced" not in line and "next: " not in line]
        (path,) = (folder / ".rtrace/records").glob("*.json")
        record: dict[str, Any] = json.loads(path.read_text())
        assert PASSWORD not in path.read_text()
        return record

    def remembered(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return what the history has of a record."""
        identifier = record["id"]
        path = self.home / f".local/state/rtrace/history/records/{identifier[-2:]}/{identifier}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def pending(self) -> list[str]:
        """Return which runs have outputs that are still to be kept."""
        folder = self.home / ".local/state/rtrace/keeping"
        return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody new."""
    home = tmp_path / "home"
    home.mkdir()
    return Person(home)


def check_copies(record: dict[str, Any], root: Path, url: str) -> None:
    """Each output of a run is below a folder by its digest, and the record says where."""
    wanted = {fact["path"]: fact["sha256"] for fact in record["outputs"]}
    assert len(wanted) == 3
    kept = {item["path"]: item for item in record["kept"] if item["url"].startswith(url)}
    assert {path: item["sha256"] for path, item in kept.items()} == wanted
    for path, sha256 in wanted.items():
        copy = root / sha256[:2] / sha256
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == sha256
        assert kept[path]["url"] == f"{url}/{sha256[:2]}/{sha256}"
    assert [path for path in root.rglob("*") if "incomplete" in path.name] == []


def test_outputs_are_copied_by_digest_to_two_folders(person: Person) -> None:
    """Each content is there once, under its digest, in the folder and in its mirror; record and history know."""
    person.configure("store:\n  folder: ~/kept\n  mirror: ~/mirror\n")
    record = person.trace("first", status=3)
    for name in ("kept", "mirror"):
        check_copies(record, person.home / name, (person.home / name).as_uri())
        assert len([path for path in (person.home / name).rglob("*") if path.is_file()]) == 2
    assert person.remembered(record)["kept"] == record["kept"]
    assert (person.said, person.pending()) == ([], [])


def test_outputs_are_archived_a_run(person: Person) -> None:
    """With `archive: true` there is one archive a run, with the outputs by their paths."""
    person.configure("store:\n  folder: ~/kept\n  mirror: ~/mirror\n  archive: true\n")
    record = person.trace("first")
    for name in ("kept", "mirror"):
        (archive,) = (person.home / name).iterdir()
        assert archive.name == f"{record['id']}.tar.zst"
        content = subprocess.run(["zstd", "-dc", archive], check=True, capture_output=True).stdout
        plain = person.home / "plain.tar"
        plain.write_bytes(content)
        with tarfile.open(plain) as opened:
            members = {f"/{member.name}": opened.extractfile(member) for member in opened}
            digests = {path: hashlib.sha256(file.read()).hexdigest() for path, file in members.items() if file}
        assert digests == {fact["path"]: fact["sha256"] for fact in record["outputs"]}
        assert {unquote(item["url"]) for item in record["kept"] if item["url"].startswith(archive.as_uri())} == {
            f"{archive.as_uri()}#{path}" for path in digests
        }
    assert person.said == []


@pytest.mark.requires("webdav")
@pytest.mark.parametrize("archive", ["false", "true"])
def test_outputs_are_kept_on_a_server(archive: str, person: Person, tmp_path: Path) -> None:
    """A WebDAV server has them whole, in a folder that is made; the password of the address is nowhere to be seen."""
    with serve_dav(tmp_path / "shared") as server:
        person.configure(f"store:\n  webdav: {server.url_with_password}/kept\n  archive: {archive}\n")
        record = person.trace("first")
        assert person.said == []
        if archive == "false":
            check_copies(record, tmp_path / "shared/kept", f"{server.url}/kept")
        else:
            assert [path.name for path in (tmp_path / "shared/kept").iterdir()] == [f"{record['id']}.tar.zst"]
        again = person.trace("first", options=("--overwrite",))
        assert len(again["kept"]) == 3
        assert person.pending() == []


@pytest.mark.requires("webdav")
def test_the_password_may_be_in_netrc(person: Person, tmp_path: Path) -> None:
    """Without one in the address, `~/.netrc` is asked; without either, one sentence says so."""
    with serve_dav(tmp_path / "shared") as server:
        person.configure(f"store:\n  webdav: {server.url}\n")
        record = person.trace("first", status=3)
        assert (record["kept"], person.pending()) == ([], [record["id"]])
        assert person.said == [
            f"{PROBLEM}{server.url}/ wants a name and a password (Basic); put them into ~/.netrc{AGAIN}"
        ]
        netrc = person.home / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login {NAME} password {PASSWORD}\n")
        netrc.chmod(0o600)
        second = person.trace("second")
        check_copies(second, tmp_path / "shared", server.url)
        check_copies(person.remembered(record), tmp_path / "shared", server.url)
        assert person.pending() == []


@pytest.mark.requires("webdav")
def test_what_a_server_missed_comes_later(person: Person, tmp_path: Path) -> None:
    """A server that is down costs one sentence; the folder has its copies, and the next run brings the rest."""
    port = find_port()
    address = f"http://{NAME}:{PASSWORD}@127.0.0.1:{port}/kept"
    person.configure(f"store:\n  folder: ~/kept\n  webdav: {address}\n")
    records = [person.trace(name, status=7) for name in ("first", "second")]
    assert person.said == [f"{PROBLEM}http://127.0.0.1:{port}/kept/ does not answer (Connection refused){AGAIN}"]
    assert person.pending() == sorted(record["id"] for record in records)
    check_copies(records[0], person.home / "kept", (person.home / "kept").as_uri())
    with serve_dav(tmp_path / "shared", port) as server:
        person.trace("third")
        for record in records:
            check_copies(person.remembered(record), tmp_path / "shared/kept", f"{server.url}/kept")
            check_copies(person.remembered(record), person.home / "kept", (person.home / "kept").as_uri())
    assert person.pending() == []


@contextmanager
def hang_up(after: int) -> Iterator[int]:
    """Have a server that answers nothing and closes each connection after so many bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(after)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_that_hangs_up_is_told(person: Person) -> None:
    """A connection that breaks costs a sentence, and no status."""
    with hang_up(10) as port:
        person.configure(f"store:\n  webdav: http://127.0.0.1:{port}\n")
        record = person.trace("first", status=5)
    assert len(person.said) == 1
    assert "does not answer" in person.said[0]
    assert person.pending() == [record["id"]]


@pytest.mark.requires("root")
def test_a_full_disk_is_told(person: Person, tmp_path: Path) -> None:
    """Where there is no room, one sentence says so; nothing half is under a digest, and the next run goes on."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", small], check=True)
    try:
        person.configure(f"store:\n  folder: {small}\n")
        record = person.trace("first", status=1)
        assert person.said == [f"{PROBLEM}{small} cannot be written (No space left on device){AGAIN}"]
        assert all(
            hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in small.rglob("*") if path.is_file()
        )
        subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
        person.trace("second")
        check_copies(person.remembered(record), small, small.as_uri())
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_mistake_in_the_configuration_is_told(person: Person) -> None:
    """It names the file and the key, and the run has its status and its record."""
    person.configure("store:\n  fodler: /kept\n")
    record = person.trace("first", status=2)
    assert person.said == [
        f"{PROBLEM}`store.fodler` in {person.home}/.config/rtrace/config.yml means nothing; there are {KEYS}"
    ]
    assert record["kept"] == []


def test_a_project_configures_nothing(person: Person) -> None:
    """A configuration in the folder of the experiment, which may be a stranger's, sends nothing anywhere."""
    (person.home / "first").mkdir()
    for name in ("rtrace.yml", ".rtrace.yml", "config.yml"):
        (person.home / "first" / name).write_text("store:\n  folder: ~/kept\n")
    assert person.trace("first")["kept"] == []
    assert not (person.home / "kept").exists()


def test_without_a_history_the_trace_knows(person: Person) -> None:
    """With `--no-history` the outputs are kept and the trace says where; nothing is noted for later."""
    person.configure("store:\n  folder: ~/kept\n")
    record = person.trace("first", options=("--no-history",))
    check_copies(record, person.home / "kept", (person.home / "kept").as_uri())
    assert person.pending() == []
