"""Prefixes of conda and of clusters, eggs, editable installs, and programs that say what they are."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from requirements import find_modules
from rtrace.bundle.entry import FileType
from rtrace.opening import open_bundle
from rtrace.packages.attribution import attribute
from rtrace.packages.model import Installed

Rtrace = Callable[..., "subprocess.CompletedProcess[bytes]"]

INSTALL_WITH_RATTLER = """
import asyncio, os, sys
from rattler import PackageRecord, RepoDataRecord, install
folder, name = sys.argv[1:]
record = RepoDataRecord(PackageRecord.from_index_json(f"{folder}/index.json"), name, f"file://{folder}/{name}", f"file://{folder}")
asyncio.run(install([record], f"{folder}/env", cache_dir=f"{folder}/cache", show_progress=False))
os._exit(0)  # it is done; when Python ends by itself, one run in twenty crashes in the threads of the library
"""


@pytest.mark.requires("rattler")
def test_conda_environment_written_by_its_own_tools(checkout: Path, tmp_path: Path) -> None:
    """What rattler, the library of pixi and mamba's successor, installs belongs to its package, with build and url."""
    name = "hello-1.5-h1_3.tar.bz2"
    files = {"bin/hello": b"#!/bin/sh\n", "lib/python3.12/site-packages/hello/a.py": b""}
    index = {"name": "hello", "version": "1.5", "build": "h1_3", "build_number": 3, "subdir": "noarch", "depends": []}
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        for path, content in files.items()
    ]
    information = {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "\n".join(files).encode(),
    }
    with tarfile.open(tmp_path / name, "w:bz2") as archive:
        for path, content in {**files, **information}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (tmp_path / "index.json").write_bytes(information["info/index.json"])
    python = checkout / ".bench/rattler/bin/python"
    done = subprocess.run([python, "-c", INSTALL_WITH_RATTLER, tmp_path, name], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    prefix = bytes(tmp_path / "env")
    compiled = prefix + b"/lib/python3.12/site-packages/hello/__pycache__/a.cpython-312.pyc"
    mine = [*(prefix + b"/" + path.encode() for path in files), compiled, prefix + b"/conda-meta/hello-1.5-h1_3.json"]
    others = [prefix + b"/bin/other", prefix + b"/conda-meta/history"]
    owners, reasons = attribute([*mine, *others])
    owner = Installed("hello", "1.5-h1_3", "noarch", "conda", f"file://{tmp_path}/{name}")
    assert {path: owners[path] for path in mine} == dict.fromkeys(mine, owner)
    assert reasons == {compiled: "compiled"}
    assert owners.keys() - set(mine) == {prefix + b"/conda-meta/history"}


def pack_study(rtrace: Rtrace, folder: Path, script: str, says: bytes) -> Path:
    """Trace a script of bash in a folder of its own, which says what it has to, and pack it."""
    study, bundle = folder / "study", folder / "bundle.rpz"
    study.mkdir()
    traced = rtrace("trace", "bash", "-c", script, cwd=study)
    assert (traced.returncode, traced.stdout) == (0, says), traced.stderr
    packed = rtrace("pack", bundle, cwd=study)
    assert packed.returncode == 0, packed.stderr
    return bundle


@pytest.mark.requires("modules")
def test_modules_that_a_run_loads_itself(rtrace: Rtrace, tmp_path: Path) -> None:
    """What `module load` of Environment Modules or Lmod brings within a run is the module's, the modulefile as well."""
    files = {
        "modulefiles/hello/1.2": f"#%Module1.0\nprepend-path PATH {tmp_path}/apps/hello/1.2/bin\n",
        "apps/hello/1.2/bin/greet": f'#!/bin/sh\necho hello $(cat "{tmp_path}/apps/hello/1.2/share/whom")\n',
        "apps/hello/1.2/share/whom": "you",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    load = f". {find_modules()} && module use '{tmp_path}/modulefiles' && module load hello/1.2 && greet"
    with open_bundle(pack_study(rtrace, tmp_path, load, b"hello you\n")) as bundle:
        entries = [entry for entry in bundle.entries if entry.type is FileType.REGULAR]
        packages = {(one.name, one.version, one.origin) for one in bundle.manifest.packages if one.manager == "module"}
    inside = {entry.path: entry.package for entry in entries if entry.path.startswith(bytes(tmp_path))}
    assert inside == {bytes(tmp_path / name): "hello" for name in files}
    assert packages == {("hello", "1.2", f"{tmp_path}/apps/hello/1.2")}
    assert [entry.path for entry in entries if entry.belonging == "unowned"] == []


EASYCONFIG = """\
easyblock = "Tarball"
name = "toy"
version = "1.2"
homepage = "https://example.org/toy"
description = "A toy."
toolchain = SYSTEM
sources = [SOURCE_TAR_GZ]
sanity_check_paths = {"files": ["toy.sh"], "dirs": []}
"""
MODULE_TOOLS = {
    "EnvironmentModules": ("MODULES_CMD", ("/usr/lib/*/modulecmd.tcl", "/usr/share/modules/libexec/modulecmd.tcl")),
    "Lmod": ("LMOD_CMD", ("/usr/share/lmod/lmod/libexec/lmod",)),
}


def install_with_easybuild(eb: Path, folder: Path) -> None:
    """Let EasyBuild install a program that is a script, and its module, below a folder."""
    (folder / "toy-1.2").mkdir(parents=True)
    (folder / "toy-1.2/toy.sh").write_text("echo toy\n")
    (folder / "toy-1.2.eb").write_text(EASYCONFIG)
    with tarfile.open(folder / "toy-1.2.tar.gz", "w:gz") as archive:
        archive.add(folder / "toy-1.2", "toy-1.2")
    tools = [
        (name, variable, place)
        for name, (variable, patterns) in MODULE_TOOLS.items()
        for pattern in patterns
        for place in sorted(Path("/").glob(pattern[1:]))
    ]
    tool, variable, place = tools[0]
    options = ["--disable-rpath", "--module-syntax=Tcl", "--allow-modules-tool-mismatch", f"--modules-tool={tool}"]
    if os.geteuid() == 0:
        options.append("--allow-use-as-root-and-accept-consequences")
    done = subprocess.run(
        [eb, folder / "toy-1.2.eb", f"--prefix={folder}", f"--sourcepath={folder}", *options],
        env={**os.environ, "PATH": f"{eb.parent}:{os.environ['PATH']}", variable: str(place)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.requires("modules", "easybuild")
def test_software_of_easybuild(rtrace: Rtrace, checkout: Path, tmp_path: Path) -> None:
    """What EasyBuild itself installed and a run loads is EasyBuild's, with the easyconfig, and nothing is unowned."""
    prefix = tmp_path / "cluster"
    install_with_easybuild(checkout / ".bench/easybuild/bin/eb", prefix)
    load = f'. {find_modules()} && module use {prefix}/modules/all && module load toy/1.2 && sh "$EBROOTTOY/toy.sh"'
    with open_bundle(pack_study(rtrace, tmp_path, load, b"toy\n")) as bundle:
        entries = [entry for entry in bundle.entries if entry.type is FileType.REGULAR]
        packages = {
            (one.name, one.version, one.origin) for one in bundle.manifest.packages if one.manager == "easybuild"
        }
    inside = {entry.path: entry.package for entry in entries if entry.path.startswith(bytes(prefix))}
    assert inside == {bytes(prefix / "software/toy/1.2/toy.sh"): "toy", bytes(prefix / "modules/all/toy/1.2"): "toy"}
    assert packages == {("toy", "1.2", "toy-1.2.eb")}
    assert [entry.path for entry in entries if entry.belonging == "unowned"] == []


EGGS = {
    "an egg": (["bdist_egg"], ["easy_install", "--install-dir", "{site}", "dist/*.egg"]),
    "an egg in a file": (["bdist_egg"], ["easy_install", "--zip-ok", "--install-dir", "{site}", "dist/*.egg"]),
    "egg-info": (["install", "--single-version-externally-managed", "--record", "r", "--install-lib", "{site}"],),
}


@pytest.mark.requires("eggs")
@pytest.mark.parametrize("kind", sorted(EGGS))
def test_eggs_of_setuptools(kind: str, checkout: Path, tmp_path: Path) -> None:
    """What setuptools' own commands of former years install is the distribution's, with version and address."""
    python = checkout / ".bench/eggs/bin/python"
    site, project = tmp_path / "site-packages", tmp_path / "project"
    (project / "tiny").mkdir(parents=True)
    site.mkdir()
    (project / "tiny/__init__.py").write_text("word = 'hello'\n")
    (project / "setup.py").write_text(
        "from setuptools import setup\n"
        f"setup(name='tiny', version='1.2', packages=['tiny'], url='https://example.org/tiny',"
        f" zip_safe={kind == 'an egg in a file'})\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(site), "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": ""}
    for command in EGGS[kind]:
        words = [word.format(site=site) for word in command]
        found = [name for word in words for name in (sorted(map(str, project.glob(word))) if "*" in word else [word])]
        done = subprocess.run(
            [python, "setup.py", "-q", *found], cwd=project, env=environ, check=False, capture_output=True
        )
        assert done.returncode == 0, done.stderr
    show = "import site, sys; site.addsitedir(sys.argv[1]); import tiny; print(tiny.word, tiny.__file__)"
    said = subprocess.check_output([python, "-c", show, site], env=environ, text=True)
    assert said.startswith(f"hello {site}/tiny")
    files = {bytes(path) for path in site.rglob("*") if path.is_file() and path.name != "easy-install.pth"}
    assert any(b"EGG-INFO/PKG-INFO" in path or b".egg" in path for path in files)
    owners = attribute(files).owners
    assert owners.keys() == files
    assert set(owners.values()) == {Installed("tiny", "1.2", "any", "python", "https://example.org/tiny")}


def test_editable_install_of_pip(tmp_path: Path) -> None:
    """The sources of a distribution that pip installed as editable are its own, where they are."""
    source = tmp_path / "my source"
    (source / "hello").mkdir(parents=True)
    (source / "hello/__init__.py").write_text("")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "hello"\nversion = "1.5"\n[tool.hatch.build]\ndev-mode-dirs = ["."]\n'
    )
    site = tmp_path / "site-packages"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-build-isolation",
        "--no-deps",
        "--target",
        site,
        "--editable",
    ]
    done = subprocess.run([*pip, source], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    code = bytes(source / "hello/__init__.py")
    listed = bytes(next(site.glob("*.pth")))
    owners, reasons = attribute([code, listed])
    assert (
        owners[code] == owners[listed] == Installed("hello", "1.5", "any", "python", f"file://{tmp_path}/my%20source")
    )
    assert reasons == {code: "editable"}


@pytest.mark.requires("go")
def test_programs_of_go_say_what_they_are(tmp_path: Path) -> None:
    """A program that `go install` built from a published module is that module's; one built from a folder is not."""
    proxy = tmp_path / "proxy/example.com/hello/@v"
    proxy.mkdir(parents=True)
    module, code = "module example.com/hello\n\ngo 1.18\n", "package main\n\nfunc main() { println(1) }\n"
    (proxy / "list").write_text("v1.2.3\n")
    (proxy / "v1.2.3.info").write_text('{"Version": "v1.2.3", "Time": "2024-01-01T00:00:00Z"}')
    (proxy / "v1.2.3.mod").write_text(module)
    with zipfile.ZipFile(proxy / "v1.2.3.zip", "w") as archive:
        archive.writestr("example.com/hello@v1.2.3/go.mod", module)
        archive.writestr("example.com/hello@v1.2.3/main.go", code)
    environ = {
        **os.environ, "GOPROXY": f"file://{tmp_path}/proxy", "GOSUMDB": "off", "GOFLAGS": "-modcacherw -trimpath",
        "GOPATH": str(tmp_path / "go"), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
    }  # fmt: skip
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/go.mod").write_text(module)
    (tmp_path / "folder/main.go").write_text(code)
    for command, folder in ((["install", "example.com/hello@v1.2.3"], tmp_path), (["build"], tmp_path / "folder")):
        done = subprocess.run(["go", *command], env=environ, cwd=folder, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    installed, built = bytes(tmp_path / "go/bin/hello"), bytes(tmp_path / "folder/hello")
    owners = attribute([installed, built]).owners
    assert owners.keys() == {installed}
    owner = owners[installed]
    assert (owner.name, owner.version, owner.manager) == ("example.com/hello", "v1.2.3", "go")
    assert owner.origin.startswith("built with go1.")


@pytest.mark.requires("cargo")
def test_programs_of_cargo_say_what_they_are(tmp_path: Path) -> None:
    """What `cargo install` put into a folder is its crate's."""
    (tmp_path / "hello/src").mkdir(parents=True)
    (tmp_path / "hello/src/main.rs").write_text("fn main() {}\n")
    (tmp_path / "hello/Cargo.toml").write_text('[package]\nname = "hello"\nversion = "0.5.1"\nedition = "2018"\n')
    done = subprocess.run(
        ["cargo", "install", "--debug", "--offline", "--root", tmp_path / "root", "--path", tmp_path / "hello"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    program = bytes(tmp_path / "root/bin/hello")
    owner = attribute([program]).owners[program]
    assert (owner.name, owner.version, owner.manager) == ("hello", "0.5.1", "cargo")
    assert owner.origin == f"path+file://{tmp_path}/hello"


@pytest.mark.requires("gcc", "objcopy")
def test_programs_of_cargo_auditable_say_what_they_are(tmp_path: Path) -> None:
    """A program that lists its crates is that of the crate at the root; one without or a broken one nobody's."""
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", tmp_path / "plain", tmp_path / "empty.c"], check=True)
    crates = {"packages": [{"name": "dep", "version": "9"}, {"name": "rg", "version": "14.0", "root": True}]}
    for name, content in (("rg", zlib.compress(json.dumps(crates).encode())), ("broken", b"no zlib")):
        (tmp_path / "section").write_bytes(content)
        add: list[str | Path] = [
            "objcopy",
            "--add-section",
            f".dep-v0={tmp_path}/section",
            tmp_path / "plain",
            tmp_path / name,
        ]
        subprocess.run(add, check=True)
    programs = [bytes(tmp_path / name) for name in ("plain", "rg", "broken")]
    found = attribute(programs).owners
    assert [(path, owner.name, owner.version) for path, owner in found.items()] == [(programs[1], "rg", "14.0")]
    assert attribute(programs, executable=programs[1:]).owners == found
    assert attribute(programs, executable=programs[:1]).owners == {}  # when it was traced, it was no program
