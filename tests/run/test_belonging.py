"""Every file of a bundle belongs to a package, to the experiment, or is listed as unowned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rtrace.bundle.entry import Entry, FileType
from rtrace.manifest.model import Package
from rtrace.manifest.reading.load import load
from rtrace.opening import open_bundle

Rtrace = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of an experiment, with a C program in it."""
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "hello.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    return folder


def trace_and_pack(rtrace: Rtrace, work: Path, *command: str) -> tuple[Entry, ...]:
    """Trace a command and pack it; give the entries that are no folders."""
    traced = rtrace("trace", "--overwrite", *command, cwd=work)
    assert traced.returncode == 0, traced.stderr
    bundle = work.parent / "bundle.rpz"
    bundle.unlink(missing_ok=True)
    packed = rtrace("pack", bundle, cwd=work)
    assert packed.returncode == 0, packed.stderr
    with open_bundle(bundle) as reader:
        return tuple(entry for entry in reader.entries if entry.type is not FileType.DIRECTORY)


@pytest.mark.parametrize(
    "command, packages",
    [
        (("/usr/bin/python3", "-c", "import numpy, yaml"), {"python3-numpy", "python3-yaml", "libc6", "libc-bin"}),
        (("node", "-e", "1"), {"libc6", "libc-bin"}),
        (("gcc", "hello.c", "-o", "hello"), {"libc6", "libc6-dev", "libc-bin", "binutils-x86-64-linux-gnu"}),
        (("R", "-e", "1+1"), {"r-base-core", "dash", "libc6", "libc-bin"}),
    ],
    ids=["python", "node", "gcc", "R"],
)
def test_nothing_of_debians_programs_is_unowned(
    command: tuple[str, ...], packages: set[str], rtrace: Rtrace, work: Path
) -> None:
    """Programs of Debian's packages are packed with an owner for each file, also those that no package lists."""
    entries = trace_and_pack(rtrace, work, *command)
    assert {entry.package for entry in entries} >= packages
    # A .pth file that somebody put beside Debian's modules is read by every Python there, and nobody's.
    unowned = [entry.path for entry in entries if entry.belonging == "unowned" and not entry.path.endswith(b".pth")]
    assert unowned == []
    theirs = [entry.path for entry in entries if entry.belonging == "experiment"]
    assert theirs in ([], [bytes(work / "hello.c")])
    ways = {entry.path: entry.belonging for entry in entries if entry.package}
    assert ways[b"/etc/ld.so.cache"] == "made by ldconfig"


@pytest.mark.requires("root", "R")
def test_r_and_a_package_of_a_persons_library_replay_without_the_originals(
    rtrace: Rtrace, work: Path, tmp_path: Path
) -> None:
    """R, a shell script with many children, and what install.packages() put elsewhere is owned, and is all it takes."""
    library = install_r_package(tmp_path)
    entries = trace_and_pack(rtrace, work, "R", "-q", "-e", f'library(tiny, lib.loc="{library}"); hello()')
    inside = {entry.path.removeprefix(bytes(library / "tiny")) for entry in entries if entry.package == "tiny"}
    assert inside >= {b"/DESCRIPTION", b"/Meta/package.rds", b"/R/tiny.rdb"}
    unowned = [entry.path for entry in entries if entry.belonging in {"unowned", "experiment"}]
    assert [path for path in unowned if not path.endswith(b".pth")] == []
    manifest = load(work / ".rtrace/manifest.yml")
    assert manifest.inputs == ()
    assert Package("tiny", "0.3.1", "any", "R", 0, 0) in [replace(one, files=0, size=0) for one in manifest.packages]
    shutil.rmtree(library)
    hidden = (
        'for place in /usr/lib/R /etc/R /usr/share/R; do mount -t tmpfs none $place; done; ! R -q -e 1 && exec "$@"'
    )
    argv = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        hidden,
        "sh",
        sys.executable,
        "-m",
        "rtrace",
        "verify",
        "--all",
        "bundle.rpz",
    ]
    verified = subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert b"same       standard output of run1\n" in verified.stdout


def install_r_package(folder: Path) -> Path:
    """Make a package of R and install it from its source archive, by R's own tools; give the library."""
    source, library = folder / "tiny", folder / "my packages"
    (source / "R").mkdir(parents=True)
    library.mkdir()
    (source / "DESCRIPTION").write_text(
        "Package: tiny\nVersion: 0.3.1\nTitle: Says Hello\nDescription: Says hello.\nAuthor: Me\n"
        "Maintainer: Me <me@example.org>\nLicense: GPL-2\n"
    )
    (source / "NAMESPACE").write_text("export(hello)\n")
    (source / "R/hello.R").write_text('hello <- function() "hello from tiny"\n')
    install = f'install.packages("tiny_0.3.1.tar.gz", lib="{library}", repos=NULL, type="source")'
    for command in (["R", "CMD", "build", "tiny"], ["R", "--no-save", "-e", install]):
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    return library


def test_virtual_environment_is_pips_and_venvs(rtrace: Rtrace, work: Path) -> None:
    """In a virtual environment outside of the experiment, each file is a distribution's or made by venv."""
    place = work.parent / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", place], check=True)
    entries = trace_and_pack(rtrace, work, str(place / "bin/python"), "-c", "import pip._internal.cli.main")
    inside = [entry for entry in entries if entry.path.startswith(bytes(place) + b"/")]
    assert {entry.package for entry in inside} - {"setuptools"} == {"pip", f"venv in {place}"}  # not since Python 3.12
    assert {entry.belonging for entry in inside} == {None}


def test_list_and_info_tell_what_is_unowned(rtrace: Rtrace, work: Path, tmp_path: Path) -> None:
    """What belongs to nobody is folded by folder in the manifest and by info, and listed by `list --unowned`."""
    strange = tmp_path / "strange"
    (work / "data").write_text("data")
    for name in ("a/1", "a/2", "b/1"):
        (strange / name).parent.mkdir(parents=True, exist_ok=True)
        (strange / name).write_text("12345")
    script = work / "read.sh"
    # Not by name on the command line: such files would be the experiment's.
    script.write_text(f"cat data {strange}/a/* {strange}/b/* > /dev/null\n")
    os.chmod(strange, 0o755)
    folders = [
        {"path": f"{strange}/a", "files": 2, "size": 10},
        {"path": f"{strange}/b", "files": 1, "size": 5},
    ]
    traced = rtrace("trace", "sh", "read.sh", cwd=work)
    assert traced.returncode == 0, traced.stderr
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    inputs = text[text.index("\ninputs:") : text.index("\noutputs:")]
    manifest.write_text(text.replace(inputs, "\ninputs: []"))
    packed = rtrace("pack", tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    told = json.loads(rtrace("info", "--json", tmp_path / "bundle.rpz").stdout)
    assert [folder for folder in told["unowned"] if folder["path"].startswith(str(tmp_path))] == folders
    shown = rtrace("info", tmp_path / "bundle.rpz").stdout.decode()
    assert f"  {strange}/a: 2 files, 10 B" in shown
    listed = json.loads(rtrace("list", "--json", "--unowned", tmp_path / "bundle.rpz").stdout)["files"]
    assert [file["path"] for file in listed if str(strange) in file["path"]] == [
        f"{strange}/{name}" for name in ("a/1", "a/2", "b/1")
    ]
    lines = rtrace("list", tmp_path / "bundle.rpz").stdout.decode().splitlines()
    assert any("\texperiment\t" in line and line.endswith(f"{work}/data") for line in lines)
    assert any("libc-bin (made by ldconfig)" in line for line in lines)
