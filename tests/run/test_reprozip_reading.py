"""Bundles of ReproZip: what rtrace tells of them, unpacks and replays; what they lack is said."""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plain_user import PlainUser
from reprozip_making import (
    make_config,
    make_database,
    make_parts,
    usual_members,
    write_tar,
)
from reprozip_samples import describe, kinds, sample
from rtrace.opening import open_bundle

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

PRINTED = {
    "03-c-program": b"3 numbers, sum of roots 9.000\n",
    "06-v1-config0.4-by-reprozip-0.6.4": b"sum=12\n",
    "08-v2-gzip-outer-by-reprozip-1.0.0": b"sum=12\n",
    "09-file-types": "one\none\nété\none\npriv\nown\n1048576\ninterp a\n".encode(),
    "13-derived-tracegz-extensions": b"3 numbers, sum of roots 9.000\n",
}
ODD = b"/tmp/experiments/h1/"


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("name", sorted(PRINTED))
def test_sample_replays_with_chroot(name: str, rtrace: Command) -> None:
    """Real bundles of several ReproZips print in a replay what they printed."""
    done = rtrace("run", sample(name))
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED[name], b"", 0)


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("name", sorted(PRINTED))
def test_sample_replays_as_a_plain_user(name: str, plain_user: PlainUser) -> None:
    """Somebody without privileges unpacks and replays them, too."""
    bundle = plain_user.home / "bundle.rpz"
    shutil.copy(sample(name), bundle)
    plain_user.give(plain_user.home)
    done = plain_user.run(plain_user.rtrace, "unpack", "chroot", bundle, "target")
    assert done.returncode == 0, done.stderr
    done = plain_user.run(plain_user.rtrace, "run", "target")
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED[name], b"", 0)


@pytest.mark.requires("docker")
@pytest.mark.parametrize("name", sorted(PRINTED))
def test_sample_replays_with_docker(name: str, rtrace: Command, tmp_path: Path) -> None:
    """The docker unpacker makes images of them that print the same."""
    assert rtrace("unpack", "docker", sample(name), tmp_path / "t").returncode == 0
    try:
        done = rtrace("run", tmp_path / "t")
        assert (done.stdout, done.returncode) == (PRINTED[name], 0)
    finally:
        rtrace("destroy", tmp_path / "t")


@pytest.mark.requires("root")
def test_unpacked_files_are_as_they_were(rtrace: Command, tmp_path: Path) -> None:
    """Owner, mode, time, hard link, symlinks, FIFO, odd names and an empty folder survive."""
    assert rtrace("unpack", "chroot", sample("09"), tmp_path / "t").returncode == 0
    folder = os.fsencode(tmp_path) + b"/t/root" + ODD
    owned, private, pipe = (os.lstat(folder + name) for name in (b"owned", b"private", b"pipe"))
    assert (owned.st_uid, owned.st_gid) == (1234, 4321)
    assert stat.S_IMODE(private.st_mode) == 0o600
    assert stat.S_ISFIFO(pipe.st_mode)
    one, two = os.lstat(folder + b"one"), os.lstat(folder + b"two")
    assert (one.st_ino, one.st_nlink) == (two.st_ino, 2)
    assert one.st_mtime == 981_173_106
    assert os.readlink(folder + b"abs") == ODD + b"one"
    assert os.readlink(folder + b"rel") == b"dir with space"
    assert Path(os.fsdecode(folder), "rel", "sub", "naïve.txt").read_text() == "été\n"
    assert os.listdir(folder + b"empty") == []
    assert os.stat(folder + b"sparse").st_size == 1048576


def test_info_tells_runs_names_and_what_is_lacking(rtrace: Command) -> None:
    """`info` shows a bundle of ReproZip as it shows one of rtrace's, and says what ReproZip did not keep."""
    done = rtrace("info", sample("09"))
    lines = done.stdout.decode().splitlines()
    assert "made by ReproZip 1.3.2 (bundle version 2, configuration 0.8)" in lines[0]
    assert "run0        ./run.sh" in lines
    assert "  when      not known, exit status 0" in lines
    assert "  owned: /tmp/experiments/h1/owned (run0)" in lines
    assert "  result.txt: /tmp/experiments/h1/out/result.txt (run0)" in lines
    assert "  coreutils 9.1-1 (dpkg): 1 file, 51.1 KiB" in lines
    assert [line for line in lines if line.startswith("not captured: ReproZip keeps no digests")]


def test_info_of_version_1_has_its_old_names(rtrace: Command) -> None:
    """Inputs and outputs of a configuration 0.4, both called `arg`, are told from each other; the run gets an id."""
    answer = json.loads(rtrace("info", "--json", sample("06")).stdout)
    assert answer["maker"] == "ReproZip 0.6.4 (bundle version 1, configuration 0.4)"
    assert answer["inputs"] == [
        {"name": "arg", "path": "/tmp/experiments/v1/in.txt", "runs": ["run0"], "pattern": None, "compare": None}
    ]
    assert answer["outputs"] == [
        {"name": "arg", "path": "/tmp/experiments/v1/out.txt", "runs": ["run0"], "pattern": None, "compare": None}
    ]
    assert answer["runs"][0]["started"] is None


def test_extensions_are_named_and_do_no_harm(rtrace: Command) -> None:
    """What others added to a bundle is named; all else is as without it."""
    assert json.loads(rtrace("info", "--json", sample("13")).stdout)["extensions"] == ["example", "single"]
    assert describe(sample("13")) == describe(sample("03"))


def test_list_tells_reason_and_package(rtrace: Command) -> None:
    """Why a file is there comes from the trace, which package it belongs to from the configuration."""
    lines = [line.split("\t") for line in rtrace("list", sample("09")).stdout.decode().splitlines()]
    by_path = {words[5]: words for words in lines if len(words) > 5}
    assert by_path["/usr/bin/wc"][3:5] == ["coreutils", "executed"]
    assert by_path["/tmp/experiments/h1/owned"][3:5] == ["-", "read"]
    files = json.loads(rtrace("list", "--json", sample("09")).stdout)["files"]
    (entry,) = (entry for entry in files if entry["path"] == "/tmp/experiments/h1/one")
    assert entry["sha256"] == hashlib.sha256(b"one\n").hexdigest()


@pytest.mark.requires("busybox", "user-namespaces")
@pytest.mark.parametrize("bundle", [1, 2])
@pytest.mark.parametrize("version", ["0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"])
def test_every_configuration_replays(version: str, bundle: int, rtrace: Command, tmp_path: Path) -> None:
    """Configurations 0.2 to 0.8, in bundles of both versions, give a run that replays, and the names that they have."""
    trace = make_database(tmp_path, old=version < "0.7")
    parts = make_parts(make_config(version), usual_members(), trace, version=bundle)
    path = write_tar(tmp_path / "x.rpz", parts, "gz" if bundle == 1 else "")
    with open_bundle(path) as opened:
        assert [run.id for run in opened.manifest.runs] == ["run0"]
        assert [file.path for file in opened.manifest.inputs] == ([b"/data/in"] if version >= "0.4" else [])
        assert [result.path for result in opened.results] == [b"/data/log", b"/data/made", b"/data/out"]
        assert {entry.path: entry.reason for entry in opened.entries}[b"/data/in"] == "read"
    done = rtrace("run", path)
    assert (done.stdout, done.stderr, done.returncode) == (b"hello\n", b"", 0)


@pytest.mark.requires("busybox", "user-namespaces")
@pytest.mark.parametrize("trace", [None, b"", b"no database at all" * 100])
def test_bundle_without_a_usable_trace_replays(trace: bytes | None, rtrace: Command, tmp_path: Path) -> None:
    """A trace that is absent or damaged is reported, and a replay goes on without it."""
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), usual_members(), trace))
    with open_bundle(path) as bundle:
        assert "no-trace" in kinds(bundle)
        assert [result.path for result in bundle.results] == [b"/data/out"]
    assert rtrace("run", path).stdout == b"hello\n"


@pytest.mark.requires("busybox", "user-namespaces")
def test_verify_compares_what_it_can_and_says_what_it_cannot(rtrace: Command, tmp_path: Path) -> None:
    """The exit status is compared; an output that appears is unknown, one that does not is missing."""
    outputs = "inputs_outputs:\n- {name: out, path: /data/out, written_by_runs: [0]}\n"
    outputs += "- {name: other, path: /data/other, written_by_runs: [0]}\npackages:\nother_files:\n"
    parts = make_parts(make_config(rest=outputs), usual_members(), make_database(tmp_path))
    done = rtrace("verify", "--all", write_tar(tmp_path / "x.rpz", parts))
    lines = [tuple(line.split(maxsplit=1)) for line in done.stdout.decode().splitlines()]
    assert ("same", "exit status of run0") in lines
    assert ("missing", "/data/other") in lines
    assert ("unknown", "/data/out: the bundle does not hold the original's digest") in lines
    assert ("unknown", "standard output of run0: the bundle does not hold the original's digest") in lines
    assert not [line for line in lines if "/data/made" in line[-1]]
    assert done.returncode == 1


def test_check_reads_all_and_says_what_it_cannot_know(rtrace: Command, tmp_path: Path) -> None:
    """A whole bundle is called whole, its identity is the SHA-256 of the file, and a change in the data is found."""
    digest = hashlib.sha256(sample("03").read_bytes()).hexdigest()
    done = rtrace("check", "--identity", f"sha256:{digest}", sample("03"))
    assert done.returncode == 0
    assert b"ReproZip keeps no digests" in done.stdout
    content = bytearray(sample("03").read_bytes())
    content[1_000_000] ^= 1
    (tmp_path / "x.rpz").write_bytes(content)
    done = rtrace("check", tmp_path / "x.rpz")
    assert done.returncode == 1
    assert b"is damaged" in done.stdout


@pytest.mark.requires("reprozip", "root", "user-namespaces")
def test_fresh_bundle_replays_alone(rtrace: Command, plain_user: PlainUser, tmp_path: Path) -> None:
    """What today's ReproZip packs replays by root and by a plain user, without anything of this machine.

    The experiment looks up files through /lib, which is a symlink on most systems, and has two runs.
    """
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "run.sh").write_text(
        "#!/bin/sh\nls /lib/*/libc.so.6 >/dev/null\ntr a-z A-Z <in >out\ncat out\n"
        f"test -e {tmp_path}/secret && echo leaked || echo alone\n"
    )
    (folder / "run.sh").chmod(0o755)
    (folder / "in").write_text("hello\n")
    settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "REPROZIP_USAGE_STATS": "off", "LC_ALL": "C.UTF-8"}

    def reprozip(*arguments: str) -> None:
        done = subprocess.run(
            ["reprozip", *arguments],
            cwd=folder,
            env=settings,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr.decode()

    reprozip("trace", "./run.sh")
    reprozip("trace", "--continue", "sh", "-c", "exit 0")
    reprozip("pack", str(tmp_path / "fresh.rpz"))
    shutil.rmtree(folder)
    (tmp_path / "secret").touch()
    bundle = plain_user.home / "fresh.rpz"
    shutil.copy(tmp_path / "fresh.rpz", bundle)
    plain_user.give(plain_user.home)
    with open_bundle(bundle) as opened:
        assert [run.id for run in opened.manifest.runs] == ["run0", "run1"]
        assert [file.name for file in opened.manifest.outputs] == ["out"]
        assert "missing-files" not in kinds(opened)
    for done in (rtrace("run", bundle), plain_user.run(plain_user.rtrace, "run", bundle)):
        assert (done.stdout, done.returncode) == (b"HELLO\nalone\n", 0), done.stderr
    verified = rtrace("verify", "--json", bundle)
    verdicts = {line["verdict"] for line in json.loads(verified.stdout)["lines"]}
    assert verdicts == {"same", "unknown"}
    assert re.search(rb"made by ReproZip 1\.", rtrace("info", bundle).stdout)
