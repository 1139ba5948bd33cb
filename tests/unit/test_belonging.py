"""Every file of a bundle belongs to a package, to the experiment, or is listed as unowned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtrace.bundle.entry import Entry, FileType
from rtrace.describe.belonging import find_experiment
from rtrace.describe.draft import draft_manifest
from rtrace.manifest.model import NamedFile
from rtrace.packages.attribution import attribute
from trace_builder import TraceBuilder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of an experiment, with a C program in it."""
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "hello.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    return folder


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
