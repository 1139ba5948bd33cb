"""`rtrace pack --anonymous`: the names of user and host are nowhere in the bundle, and its replay is the same."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import shutil
import sqlite3
import string
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bundle_bytes import read_everything
from observing import run_rtrace
from plain_user import find_python
from rtrace.opening import open_bundle
from secret_planting import command

_CHANCE = random.SystemRandom()  # each worker's own: what pytest-randomly seeds is the same in all of them

NAME = "quill" + "".join(_CHANCE.choices(string.ascii_lowercase, k=7))

UID = str(_CHANCE.randrange(20000, 60000))

HOST = "kestrel-7"

ACCESS_LIST = b"system.posix_acl_access"

FULL = "Quentin Zilch"

MODULE = """\
import os

def tell(where):
    return f"{where} of {os.path.expanduser('~')}"
"""

STUDY = """\
#!{home}/venv/bin/python
import os, pwd, sys
from telling import tell

account = pwd.getpwuid(os.getuid())
print(tell(__file__), account.pw_name, account.pw_dir, os.uname().nodename, os.environ["USER"])
with open("{home}/study/result.txt", "w") as result:
    result.write(f"{{account.pw_name.upper()}} in {{os.getcwd()}} with {{sys.prefix}}\\n")
os.symlink("../{name}/study/result.txt", "../../{name}/study/link")
"""


class Author:
    """Somebody with an account, a home folder and an experiment in it."""

    def __init__(self, home: Path, rtrace: Path) -> None:
        self.home = home
        self.rtrace = rtrace

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command as this person, in the folder of the experiment."""
        env = {"HOME": str(self.home), "USER": NAME, "LOGNAME": NAME, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        machine = ("unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh")
        identity = (*machine, "setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--init-groups", "--", "env", "--")
        return subprocess.run(
            [*identity, *argv],
            cwd=self.home / "study",
            env={**env, "SSH_CLIENT": "192.0.2.7 5 22"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )


@pytest.fixture
def author(everybodys_rtrace: Path) -> Iterator[Author]:
    """Make the account, a virtual environment, and an experiment with the name in paths, code and outputs."""
    home = Path("/home") / NAME
    subprocess.run(["userdel", "--force", "--remove", NAME], check=False, capture_output=True)
    subprocess.run(["useradd", "--create-home", "--home-dir", home, "--comment", FULL, "--uid", UID, NAME], check=True)
    try:
        made = Author(home, everybodys_rtrace)
        (home / "study").mkdir()
        subprocess.run([find_python(), "-m", "venv", "--without-pip", home / "venv"], check=True)
        packages = next((home / "venv/lib").glob("python3.*/site-packages"))
        (packages / "telling.py").write_text(MODULE)
        program = home / "venv/bin/study"
        program.write_text(STUDY.format(home=home, name=NAME))
        program.chmod(0o755)
        subprocess.run(["chown", "-R", f"{NAME}:{NAME}", home], check=True)
        compiled = made.run(home / "venv/bin/python", "-c", "import telling")
        assert compiled.returncode == 0, compiled.stderr
        yield made
    finally:
        subprocess.run(["userdel", "--force", "--remove", NAME], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def find_names(bundle: Path, *names: str) -> list[tuple[str, str]]:
    """Return which names are in which members of a bundle, in whatever case."""
    everything = [(member, content.lower()) for member, content in read_everything(bundle)]
    return [(member, name) for member, content in everything for name in names if name.lower().encode() in content]


def read_list(value: bytes) -> set[tuple[int, int, int]]:
    """Return tag, permissions and id of the entries of an access control list that name somebody."""
    return {entry for entry in struct.iter_unpack("<HHI", value[4:]) if entry[0] in {2, 8}}


def read_lists_of_trace(bundle: Path, folder: Path) -> list[set[tuple[int, int, int]]]:
    """Return the access control lists that the trace in a bundle has noted."""
    content = dict(read_everything(bundle))["METADATA/trace.sqlite3"]
    (folder / "trace.sqlite3").write_bytes(content)
    with closing(sqlite3.connect(folder / "trace.sqlite3")) as connection:
        rows = connection.execute("SELECT value FROM attributes WHERE name = ?", (ACCESS_LIST,)).fetchall()
    return [read_list(value) for (value,) in rows]


@pytest.mark.requires("root", "setfacl")
@pytest.mark.xdist_group("accounts")
def test_an_anonymous_bundle_tells_nobody_and_verifies(author: Author, tmp_path: Path) -> None:
    """An account with a virtual environment: no name in any member, and a replay gives the same under neutral names."""
    shared = author.home / "study/shared.cfg"
    shared.write_text("x")
    kept = author.home / "study/kept.cfg"
    kept.write_text("x")
    for rule in (f"u:{UID}:rw,g:{int(UID) + 1}:r,u:7:r", f"u:{int(UID) + 2}:r"):
        subprocess.run(["setfacl", "-m", rule, shared, kept], check=True)
    subprocess.run(["chown", f"{NAME}:{NAME}", shared, kept], check=True)
    study = ("cat /home/somebody-else/x $1 2>/dev/null; setfacl -b $2 && exec $0", author.home / "venv/bin/study")
    traced = author.run(author.rtrace, "trace", "--", "sh", "-c", *study, shared, kept)
    assert traced.returncode == 0, traced.stderr
    assert f"{NAME} {author.home} {HOST} {NAME}" in traced.stdout
    packed = author.run(author.rtrace, "pack", "--anonymous", author.home / "out.rpz")
    assert packed.returncode == 0, packed.stderr
    assert "paths that name other people stay as they are: /home/somebody-else; trace again under" in packed.stderr
    bundle = tmp_path / "out.rpz"
    shutil.move(author.home / "out.rpz", bundle)
    assert find_names(bundle, NAME, FULL, HOST, str(author.home), "192.0.2.7") == []
    with open_bundle(bundle) as opened:
        paths = {entry.path for entry in opened.entries}
        run = opened.manifest.runs[0]
        lists = {entry.path: read_list(dict(entry.xattrs).get(ACCESS_LIST, b"")) for entry in opened.entries}
        owners = {entry.uid for entry in opened.entries}
        script = opened.find(b"/home/userxxxxxxxx/venv/bin/study")
        assert script is not None
        assert next(opened.read_file(script.path)).startswith(b"#!/home/userxxxxxxxx/venv/bin/python\n")
    assert any(path.startswith(b"/home/userxxxxxxxx/venv/lib") and path.endswith(b".pyc") for path in paths)
    assert (run.uid, run.gid) == (1000, 1000)
    assert int(UID) not in owners
    mapped = lists[b"/home/userxxxxxxxx/study/shared.cfg"]
    assert {(2, 4, 7), (2, 6, 1000)} < mapped
    assert {(tag, mode) for tag, mode, number in mapped if 1001 <= number <= 1010} == {(2, 4), (8, 4)}
    assert lists[b"/home/userxxxxxxxx/study/kept.cfg"] == mapped
    assert mapped in read_lists_of_trace(bundle, tmp_path)
    subprocess.run(["userdel", "--remove", NAME], check=True, capture_output=True)
    verified = command("verify", bundle, cwd=tmp_path, env={})
    assert verified.returncode == 0, (verified.stdout, verified.stderr)
    assert "results are identical" in verified.stdout


@pytest.mark.requires("root")
@pytest.mark.xdist_group("accounts")
def test_what_cannot_be_rewritten_is_named_and_no_bundle_is_written(author: Author) -> None:
    """A file that is compressed by itself and still shows the name is refused, unless it may pass."""
    archive = author.home / "study/old.zip"
    archive.write_bytes(b"PK\x03\x04" + NAME.encode())
    traced = author.run(author.rtrace, "trace", "--", "cat", archive)
    assert traced.returncode == 0, traced.stderr
    packed = author.run(author.rtrace, "pack", "--anonymous", author.home / "out.rpz")
    assert packed.returncode == 125
    assert f"a name of the user or host is still in {archive}; leave such files out" in packed.stderr
    assert not (author.home / "out.rpz").exists()
    packed = author.run(author.rtrace, "pack", "--anonymous-except", "*.zip", author.home / "out.rpz")
    assert packed.returncode == 0, packed.stderr
    assert "what is compressed within files was not searched for names" in packed.stderr
    packed = author.run(author.rtrace, "pack", "--anonymous", "--exclude", "*.zip", author.home / "other.rpz")
    assert packed.returncode == 0, packed.stderr
    assert find_names(author.home / "other.rpz", NAME) == []


def test_what_a_distribution_brought_tells_nobody(tmp_path: Path) -> None:
    """A file as its wheel had it holds the name as an ordinary word, and stays; what was changed by hand does not."""
    site = tmp_path / "lib/python3/site-packages"
    contents = {"word/__init__.py": f"import word.edited\n{NAME} = 1\n", "word/edited.py": "pass\n"}
    record = ""
    for name, content in contents.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
        record += f"{name},sha256={digest},{len(content)}\n"
    (site / "word-1.dist-info").mkdir()
    (site / "word-1.dist-info/RECORD").write_text(record)
    (site / "word/edited.py").write_text(f"# by {NAME}\n")
    script = "import sys; sys.path.insert(0, sys.argv[1]); import word"
    environment = {**os.environ, "USER": NAME, "PYTHONDONTWRITEBYTECODE": "1"}
    traced = run_rtrace("trace", "/usr/bin/python3", "-c", script, site, cwd=tmp_path, env=environment)
    assert traced.returncode == 0, traced.stderr
    packed = run_rtrace("pack", "--anonymous", "b.rpz", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    read = [run_rtrace("extract", "b.rpz", site / name, cwd=tmp_path).stdout.decode() for name in contents]
    assert read[0] == contents["word/__init__.py"]
    assert read[1].startswith("# by user")
    assert NAME not in read[1]


@pytest.mark.skipif(not Path("/var/lib/dpkg/info").exists(), reason="needs a system with dpkg")
def test_what_a_system_package_brought_tells_nobody(tmp_path: Path) -> None:
    """A name that is a word in files of the system's packages is no reason to refuse."""
    word = next(
        word.decode()
        for word in re.findall(rb"\b[a-z]{6,12}\b", Path("/usr/bin/env").read_bytes())
        if word not in {b"update", b"locale", b"system"}
    )
    traced = run_rtrace("trace", "/usr/bin/env", "true", cwd=tmp_path, env={**os.environ, "USER": word})
    assert traced.returncode == 0, traced.stderr
    packed = run_rtrace("pack", "--anonymous", "b.rpz", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
