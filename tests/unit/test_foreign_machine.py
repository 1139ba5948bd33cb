"""Looking into bundles, changing their format and unpacking them need nothing that only Linux, or only Unix, has."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from foreign_site import PROGRAM, announce_unpackers

CONTENT = b"one\r\ntwo\n" * 1000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with files of several kinds."""
    maker = BundleMaker(tmp_path / "made", runnable=False)
    maker.file(b"/work/data", CONTENT, mode=0o640)
    maker.file(b"/work/other", b"other\n")
    maker.symlink(b"/work/link", b"data")
    return maker.write(make_run(b"true"), results=(wrote(b"/work/out", b"x"),))


@pytest.fixture(params=["win32", "darwin"])
def platform(request: pytest.FixtureRequest) -> str:
    """The other system."""
    return str(request.param)


def call(platform: str, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run rtrace there, with no engine that could answer."""
    announce_unpackers(folder / "site")
    paths = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "RTRACE_DOCKER": "false",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    argv = [sys.executable, PROGRAM, platform, "rtrace", *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder, env=environment)


def test_bundle_is_looked_into(platform: str, bundle: Path, tmp_path: Path) -> None:
    """By info, list and check."""
    for words, expected in ((("info",), "run1"), (("list",), "/work/data"), (("check",), "is intact")):
        done = call(platform, tmp_path, *words, bundle)
        assert (done.returncode, expected in done.stdout) == (0, True), done.stderr


def test_files_are_extracted(platform: str, bundle: Path, tmp_path: Path) -> None:
    """One as a file of its own, several below a folder, with their contents byte for byte."""
    done = call(platform, tmp_path, "extract", bundle, "/work/data", "-o", "one")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").read_bytes() == CONTENT
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o640
    done = call(platform, tmp_path, "extract", bundle, "/work/data", "/work/other", "-o", "several")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "several/work/other").read_bytes() == b"other\n"
    assert not [name for name in os.listdir(tmp_path) if "incomplete" in name]


def test_bundle_changes_its_format(platform: str, bundle: Path, tmp_path: Path) -> None:
    """Export writes one for ReproZip, the same bytes as here."""
    for folder, argv in (("there", [PROGRAM, platform, "rtrace"]), ("here", ["-m", "rtrace"])):
        (tmp_path / folder).mkdir()
        words = [sys.executable, *argv, "export", "--format", "reprozip", bundle, "-o", "x.rpz"]
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path / folder)
    there, here = (hashlib.sha256((tmp_path / name / "x.rpz").read_bytes()).digest() for name in ("there", "here"))
    assert there == here
    assert os.listdir(tmp_path / "there") == ["x.rpz"]


def test_bundle_is_unpacked_for_an_engine(platform: str, bundle: Path, tmp_path: Path) -> None:
    """As a build context with all files, and the line that builds it."""
    done = call(platform, tmp_path, "unpack", "docker", bundle, "target")
    assert done.returncode == 0, done.stderr
    assert "builds it" in done.stderr
    with tarfile.open(tmp_path / "target/experiment.tar") as files:
        member = files.extractfile("work/data")
        assert member is not None
        assert member.read() == CONTENT
    assert json.loads((tmp_path / "target/rtrace-target.json").read_text())["unpacker"] == "docker"
    assert call(platform, tmp_path, "unpack", "docker", bundle, "target").returncode == 125
    assert not [name for name in os.listdir(tmp_path) if "incomplete" in name]


def test_what_needs_linux_says_so(platform: str, bundle: Path, tmp_path: Path) -> None:
    """In one sentence, without a traceback."""
    for words in (("unpack", "chroot", bundle, "x"), ("unpack", "directory", bundle, "x"), ("trace", "true")):
        done = call(platform, tmp_path, *words)
        assert (done.returncode, done.stderr.count("\n")) == (125, 1), done.stderr
        assert "Linux" in done.stderr
