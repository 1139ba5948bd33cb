"""Every kind of `hostile_kinds` is refused: in a sentence of its own, nothing written, memory and disk bounded."""

import os
import re
import stat
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from fuzz.seeds import pack_bundle
from hostile_kinds import AUDIT, KINDS, UNPACK, whole
from hostile_runs import MEMORY, run_bounded
from rtrace.errors import RtraceError
from rtrace.operations.audit import audit_bundle
from rtrace.operations.check import check_bundle
from rtrace_unpackers.chroot import UNPACKER

UNCHECKED = {"a file in the place of /proc", "an outline larger than any file"}
"""Whole bundles, which are refused where they cannot be unpacked."""


def write(name: str, folder: Path) -> Path:
    """Write the bundle of a kind."""
    folder.mkdir()
    path = folder / "x.rpz"
    path.write_bytes(KINDS[name].make())
    return path


@pytest.mark.parametrize("name", KINDS)
def test_is_refused(name: str, tmp_path: Path) -> None:
    """One sentence that names the file, the exit status for it, and nothing is left but the bundle."""
    kind = KINDS[name]
    folder = tmp_path / "folder"
    path = write(name, folder)
    done = run_bounded(tuple(str(path) if word == "BUNDLE" else word for word in kind.command), folder)
    assert done.status == kind.status, done.said
    assert re.search(kind.words, done.said), done.said
    assert done.said.count("\n") == 1
    assert str(path) in done.said or "/proc" in done.said or "/data/" in done.said
    assert os.listdir(folder) == ["x.rpz"]
    assert os.listdir(tmp_path) == ["folder"]
    assert done.memory < MEMORY


def find_sentence(name: str, folder: Path) -> str:
    """Return in which words a kind is refused, without the name of the file and without numbers."""
    path = write(name, folder)
    try:
        if KINDS[name].command == UNPACK:
            UNPACKER.unpack(path, folder / "target")
        elif KINDS[name].command == AUDIT:
            audit_bundle(path)
        sentence = check_bundle(path).problem or "accepted"
    except RtraceError as error:
        sentence = str(error)
    return re.sub(r"[0-9]+", "N", sentence.replace(str(path), "BUNDLE"))


def test_every_kind_has_a_sentence_of_its_own(tmp_path: Path) -> None:
    """There are at least a hundred and sixty kinds, and no two of them are refused in the same words, numbers aside."""
    names = [name for name in KINDS if name != "an outline larger than any file"]  # a file system may have room for it
    sentences = {name: find_sentence(name, tmp_path / str(number)) for number, name in enumerate(names)}
    assert len(KINDS) >= 160
    twice = [name for name, sentence in sentences.items() if list(sentences.values()).count(sentence) > 1]
    assert twice == []


@pytest.mark.parametrize("name", sorted(KINDS.keys() - UNCHECKED))
def test_check_finds_it_as_well(name: str, tmp_path: Path) -> None:
    """Whatever keeps a bundle from being unpacked is found by a check; the content of a trace is not looked at."""
    problem = check_bundle(write(name, tmp_path / "folder")).problem
    assert (problem is not None) == (KINDS[name].command != AUDIT or "digest" in name)
    assert problem is None or "x.rpz" in problem


def test_the_bundle_that_is_broken_is_the_packers() -> None:
    """What the kinds are made from is, byte for byte, what rtrace's own packer writes, and it is whole."""
    assert whole() == pack_bundle()


@pytest.mark.parametrize("command", ["info", "list", "check", "audit", "verify", "export", "extract"])
def test_what_is_no_file_is_not_waited_for(command: str, tmp_path: Path) -> None:
    """A FIFO that is called as a bundle is gets a sentence at once, whoever would write to it."""
    path = tmp_path / "x.rpz"
    os.mkfifo(path)
    more = {"export": ("--format", "reprozip", "-o", "y.rpz"), "extract": ("-o", "y", "/bin/sh")}.get(command, ())
    done = run_bounded((command, str(path), *more), tmp_path)
    assert (done.status, done.said.count("\n")) == (125, 1)
    assert "x.rpz is not a file; name a bundle" in done.said


@pytest.mark.requires("busybox")
def test_more_than_the_disk_takes_leaves_nothing(tmp_path: Path) -> None:
    """A bundle of a few kilobytes that is honest about a hundred megabytes stops where the disk does."""
    maker = BundleMaker(tmp_path / "maker")
    maker.file(b"/work/zeros", bytes(100 << 20))
    path = maker.write(make_run())
    folder = tmp_path / "folder"
    folder.mkdir()
    done = run_bounded(("unpack", "chroot", str(path), "target"), folder)
    assert (done.status, done.said.count("\n")) == (125, 1)
    assert "cannot make target: File too large" in done.said
    assert os.listdir(folder) == []


@pytest.mark.requires("busybox")
def test_set_uid_stays_out_of_reach(tmp_path: Path) -> None:
    """Set-uid and set-gid are kept, for a replay needs them, in a folder that nobody but its owner can enter."""
    maker = BundleMaker(tmp_path / "maker")
    maker.file(b"/work/program", b"x", mode=0o6755, uid=os.geteuid())
    target = tmp_path / "target"
    UNPACKER.unpack(maker.write(make_run()), target)
    assert stat.S_IMODE((target / "root/work/program").stat().st_mode) == 0o6755
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_names_that_differ_in_case_or_form_are_two_files(tmp_path: Path) -> None:
    """On a file system that tells them apart, names in capitals or in another Unicode form are files of their own."""
    maker = BundleMaker(tmp_path / "maker")
    names = [b"/work/a", b"/work/A", "/work/\u00e9".encode(), "/work/e\u0301".encode()]
    for name in names:
        maker.file(name, name)
    UNPACKER.unpack(maker.write(make_run()), tmp_path / "target")
    root = os.fsencode(tmp_path / "target/root")
    assert [Path(os.fsdecode(root + name)).read_bytes() for name in names] == names
