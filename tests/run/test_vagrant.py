"""The files of Vagrant's machines: judged by Vagrant itself, and put in place and replayed as in a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_making import USER, BundleMaker, make_run

pytestmark = pytest.mark.requires("busybox", "root", "unshare")

ODD = b"/work/it's $(touch pwned) `id`\n#{system('touch pwned')}\xff\"; end"
"""A name that means something to Ruby and to shells."""
Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]


def write_hostile(tmp_path: Path, **changes: object) -> Path:
    """Write a bundle in which all that a person can name is hostile."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/file", b"content\n")
    maker.file(ODD, b"odd\n")
    maker.file(b"/work/root", b"", mode=0o640, uid=0)
    script = (
        b'id -u; umask; cat file; cat "$ODD"; stat -c %u:%a root; ls /.rtrace; cat /etc/shadow; printf %s "$0"; exit 7'
    )
    run = make_run(
        script,
        id="x'; system('touch pwned') #{1}\n%",
        argv=(b"sh", b"-c", script, ODD),
        environ=((b"PATH", b"/bin"), (b"ODD", ODD)),
        hostname="a'b",
        umask=0o137,
        distribution=("debian'; `touch pwned`", "12"),
    )
    return maker.write(replace(run, **changes))  # type: ignore[arg-type]


@pytest.mark.requires("vagrant")
@pytest.mark.parametrize("box", [None, "me/my.box-1_2"])
def test_vagrant_takes_it(box: str | None, rtrace: Rtrace, tmp_path: Path) -> None:
    """It is a Vagrantfile, nothing of the bundle is in it, and none of what a bundle says is done."""
    options = () if box is None else ("--base-image", box)
    unpacked = rtrace("unpack", "vagrant", *options, write_hostile(tmp_path), "target")
    assert unpacked.returncode == 0, unpacked.stderr
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=tmp_path / "target",
        env={**os.environ, "VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"validated successfully" in done.stdout
    assert list(tmp_path.rglob("pwned")) == []
    written = (tmp_path / "target/Vagrantfile").read_bytes()
    other = BundleMaker(tmp_path / "other").write(make_run(b"id"))
    assert rtrace("unpack", "vagrant", *options, other, "second").returncode == 0
    assert (tmp_path / "second/Vagrantfile").read_bytes() == written
    assert (b"'me/my.box-1_2'" in written) == (box is not None)


def test_what_it_uploads_is_put_in_place_and_replays(rtrace: Rtrace, tmp_path: Path) -> None:
    """By the script of a machine, with the tools that a box has: words, ids, modes and status are exact, twice."""
    assert rtrace("unpack", "vagrant", write_hostile(tmp_path), "target").returncode == 0
    place, upload = tmp_path / "place", tmp_path / "upload"
    for _ in range(2):
        upload.mkdir(exist_ok=True)
        for name in ("files.tar", "replaying.tar"):
            shutil.copy(tmp_path / "target" / name, upload)
        provisioned = subprocess.run(
            ["sh", tmp_path / "target/provision.sh", upload, place], check=False, capture_output=True
        )
        assert provisioned.returncode == 0, provisioned.stderr
        assert list(upload.iterdir()) == []
        assert sorted(path.name for path in place.iterdir()) == ["launchers", "own", "root", "run.sh", "runs"]
        assert place.stat().st_mode & 0o7777 == 0o700
        environment = {"PATH": os.environ["PATH"], "RTRACE_WITH": "unshare"}
        done = subprocess.run(
            [place / "run.sh"], env=environment, stdin=subprocess.DEVNULL, check=False, capture_output=True
        )
        assert done.returncode == 7, done.stderr
        assert done.stdout == b"%d\n0137\ncontent\nodd\n0:640\n1\n" % USER + ODD
        assert not (place / "root/work/made").exists()
        (place / "root/work/made").touch()
    assert list(tmp_path.rglob("pwned")) == []
    without = subprocess.run(["sh", tmp_path / "target/provision.sh", upload, place], check=False, capture_output=True)
    assert (without.returncode, b"vagrant provision" in without.stderr) == (1, True)
    assert (place / "run.sh").exists()


@pytest.mark.parametrize("box", ["a'; system('id')", "#{1}", "", "a b", "-x", "a\nb", "x" * 201])
def test_a_name_of_no_box_is_refused(box: str, rtrace: Rtrace, tmp_path: Path) -> None:
    """It would be a word of the Vagrantfile."""
    done = rtrace("unpack", "vagrant", "--base-image", box, write_hostile(tmp_path), "target")
    assert (done.returncode, b"is no name of a box" in done.stderr) == (2, True)
    assert not (tmp_path / "target").exists()


def test_what_rtrace_does_not_do_it_says(rtrace: Rtrace, tmp_path: Path) -> None:
    """And how Vagrant does; a folder with a machine is not removed."""
    bundle = write_hostile(tmp_path, id="run1")
    unpacked = rtrace("unpack", "vagrant", "--no-build", bundle, "target")
    assert (unpacked.returncode, b"rtrace replay" in unpacked.stderr) == (0, False)
    for words in (("replay", "target"), ("reset", "target"), ("download", "target"), ("shell", "target")):
        done = rtrace(*words)
        assert (done.returncode, b"`vagrant up` there" in done.stderr) == (125, True), done.stderr
    assert b"--unpacker names another" in rtrace("verify", "--unpacker", "vagrant", bundle).stderr
    (tmp_path / "target/.vagrant").mkdir()
    done = rtrace("destroy", "target")
    assert (done.returncode, b"`vagrant destroy` in it first" in done.stderr) == (125, True)
    (tmp_path / "target/.vagrant").rmdir()
    assert rtrace("destroy", "target").returncode == 0
    assert not (tmp_path / "target").exists()
