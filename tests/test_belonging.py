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
from rtrace.bundle.reading.bundle_reader import open_bundle
from rtrace.describe.belonging import find_experiment
from rtrace.describe.draft import draft_manifest
from rtrace.manifest.model import NamedFile, Package
from rtrace.manifest.reading.load import load
from rtrace.packages.attribution import attribute
from trace_builder import TraceBuilder

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
    argv = ["unshare", "--mount", "sh", "-c", hidden, "sh", sys.executable, "-m", "rtrace", "verify", "bundle.rpz"]
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
    inputs = text[text.index("inputs:") : text.index("outputs:")]
    manifest.write_text(text.replace(inputs, "inputs: []\n"))
    packed = rtrace("pack", tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    told = json.loads(rtrace("info", "--json", tmp_path / "bundle.rpz").stdout)
    assert [folder for folder in told["unowned"] if folder["path"].startswith(str(tmp_path))] == folders
    shown = rtrace("info", tmp_path / "bundle.rpz").stdout.decode()
    assert f"  {strange}/a: 2 files, 10 B" in shown
    listed = rtrace("list", "--json", "--unowned", tmp_path / "bundle.rpz").stdout.splitlines()
    assert [json.loads(line)["path"] for line in listed if str(strange).encode() in line] == [
        f"{strange}/{name}" for name in ("a/1", "a/2", "b/1")
    ]
    lines = rtrace("list", tmp_path / "bundle.rpz").stdout.decode().splitlines()
    assert any("  experiment  " in line and line.endswith(f"{work}/data") for line in lines)
    assert any("libc-bin (made by ldconfig)" in line for line in lines)


def test_experiment_is_where_it_runs_and_what_it_names(tmp_path: Path) -> None:
    """Working directories, folders of inputs, outputs and commands are the experiment; shared folders are not."""
    trace = TraceBuilder(tmp_path)
    trace.begin(workingdir=Path("/home/me/study"), argv=b"python3\0../scripts/run.py\0", binary=b"/usr/bin/python3")
    runs = draft_manifest(trace.connection, trace.directory).runs
    named = [NamedFile("x", b"/data/set/x.csv", ("run1",)), NamedFile("y", b"/tmp/y.csv", ("run1",))]
    known = {b"/home/me/scripts/run.py", b"/usr/bin/python3"}
    experiment = find_experiment(runs, named, {b"/usr/bin/python3"}, known)
    inside = [b"/home/me/study/.git/config", b"/home/me/scripts/lib.py", b"/data/set/sub/z", b"/tmp/y.csv"]
    outside = [b"/home/me/.bashrc", b"/home/me/other/x", b"/data/x", b"/tmp/z", b"/usr/bin/x"]
    assert [path for path in inside + outside if experiment.holds(path)] == inside


@pytest.mark.parametrize("work, managers", [("study", set()), ("elsewhere", {"cargo"})])
def test_what_is_built_where_a_run_works_is_the_experiment(work: str, managers: set[str], tmp_path: Path) -> None:
    """A program that says which crate it is belongs to the crate, unless it lies in the working directory."""
    program = tmp_path / "study/root/bin/tool"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    crates = {"installs": {"tool 1.0 (path+file:///x)": {"bins": ["tool"], "target": "x86_64"}}}
    (tmp_path / "study/root/.crates2.json").write_text(json.dumps(crates))
    (tmp_path / "elsewhere").mkdir()
    trace = TraceBuilder(tmp_path)
    trace.begin(workingdir=tmp_path / work)
    trace.read(program)
    assert {package.manager for package in draft_manifest(trace.connection, trace.directory).packages} == managers


def test_what_a_machine_made_is_not_published() -> None:
    """What a package made on a machine, as /etc/shadow, is searched for secrets; what it lists or compiles is not."""
    entry = Entry(b"/etc/shadow", FileType.REGULAR, 0o640, 0, 0, 0)
    ways = [(None, "unowned"), ("p", None), ("p", "compiled"), ("p", "made by update-passwd"), ("p", "editable")]
    found = [entry._replace(package=package, belonging=belonging).is_published for package, belonging in ways]
    assert found == [False, True, True, False, False]


def test_made_files_and_alternatives_of_any_root(tmp_path: Path) -> None:
    """Caches are their makers', alternatives their targets', kept configuration the configuration's; no others are."""
    for name in ("usr/bin/vim.basic", "usr/bin/vim.tiny"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "etc/alternatives/vi").symlink_to("/usr/bin/vim.basic")
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "vim.list").write_text("/.\n/usr/bin/vim.basic\n/etc/vim/vimrc\n")
    (info / "libc-bin.list").write_text("/.\n/sbin/ldconfig\n")
    (info.parent / "status").write_text(
        "Package: vim\nVersion: 9\nArchitecture: amd64\nSource: vim-src (2:9)\n\n"
        "Package: libc-bin\nVersion: 2.36\nArchitecture: amd64\n\n"
        "Package: dpkg\nVersion: 1\nArchitecture: amd64\n"
    )
    targets = {b"/usr/bin/vi": b"/etc/alternatives/vi", b"/etc/alternatives/vi": b"/usr/bin/vim.basic"}
    expected = {
        b"/usr/bin/vi": ("vim", "alternative"),
        b"/etc/alternatives/vi": ("vim", "symlink"),
        b"/etc/vim/vimrc.dpkg-old": ("vim", "another version of it"),
        b"/etc/ld.so.cache": ("libc-bin", "made by ldconfig"),
        b"/etc/ld.so.cache.d": None,
        b"/etc/vim/other": None,
    }
    owners, reasons = attribute(expected, targets, bytes(tmp_path))
    assert {path: (owners[path].name, reasons[path]) if path in owners else None for path in expected} == expected
    assert owners[b"/usr/bin/vi"].origin == "source vim-src 2:9"
    below = {bytes(tmp_path) + path: owner and f"{owner[0]} in {tmp_path}" for path, owner in expected.items()}
    from_outside = attribute(below, {bytes(tmp_path) + path: target for path, target in targets.items()})
    assert {path: owner.name for path, owner in from_outside.owners.items()} == {
        path: name for path, name in below.items() if name
    }
