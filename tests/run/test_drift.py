"""`rtrace drift` on real projects: a virtual environment of Python, packages of npm and of R."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from observing import run_rtrace
from requirements import CHECKOUT

PYTHON = """\
import click, packaging.version
open("out", "w").write(str(packaging.version.Version("1.0")))
"""


def drift(folder: Path, *arguments: str | Path) -> tuple[int, list[list[str]], bytes]:
    """Return exit status, lines of the table as words, and what was said besides."""
    done = run_rtrace("drift", *arguments, cwd=folder)
    lines = [line.split("\t") for line in done.stdout.decode().splitlines()]
    return done.returncode, [line for line in lines if len(line) > 1], done.stderr


def call(*argv: str | Path, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run another tool."""
    return subprocess.run(argv, check=check, cwd=cwd, capture_output=True, timeout=300)


def install(python: str | Path, wheels: Path, *arguments: str | Path, check: bool = True) -> int:
    """Have pip install from a folder of wheels as from an index; return its exit status."""
    pip = (python, "-m", "pip", "install", "-q", "--no-index", "--find-links", wheels)
    return call(*pip, *arguments, check=check).returncode


def make_wheel(folder: Path, name: str, version: str, *requires: str, code: str = "") -> Path:
    """Build a wheel of one module by hand, as a package index would have it."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD")))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in a virtual environment that was traced: `top` needs `below`, `beside` is there as well."""
    root = tmp_path_factory.mktemp("drift")
    wheels, work = root / "wheels", root / "study"
    wheels.mkdir()
    work.mkdir()
    make_wheel(wheels, "top_one", "1.2", "below>=1", "extra_one; extra == 'more'", code="import below\n")
    for name, version in (("below", "1.5"), ("beside", "3.0"), ("extra_one", "1"), ("idle", "1")):
        make_wheel(wheels, name, version)
    call(sys.executable, "-m", "venv", work / ".venv")
    install(work / ".venv/bin/python", wheels, "top-one", "below", "beside", "extra-one", "idle")
    (work / "run.py").write_text("import top_one, beside\nopen('out', 'w').write('done')\n")
    traced = run_rtrace("trace", "-q", ".venv/bin/python", "run.py", cwd=work)
    assert traced.returncode == 0, traced.stderr
    return work


@pytest.fixture
def declare(study: Path) -> Path:
    """The study without any declaration."""
    for path in (*study.glob("*.t*t"), *study.glob("*.toml"), *study.glob("*.y*ml")):
        path.unlink()
    return study


def test_drift_of_a_virtual_environment(declare: Path) -> None:
    """Undeclared, unused and another version are told; what a declared distribution needs is not."""
    (declare / "requirements.txt").write_text("top-one>=2\nidle\n")
    status, lines, said = drift(declare)
    assert (status, said) == (1, b"")
    assert lines == [
        ["undeclared", "python", "beside", "-", "3.0", "-"],
        ["version", "python", "top_one", ">=2", "1.2", "requirements.txt"],
        ["unused", "python", "idle", "-", "-", "requirements.txt"],
    ]


def test_no_drift(declare: Path) -> None:
    """A project that declares what it uses has exit status 0, and one whose drift is of a kind that is ignored."""
    (declare / "pyproject.toml").write_text('[project]\nname = "study"\ndependencies = ["Top.One", "beside==3.*"]\n')
    assert drift(declare)[:2] == (0, [])
    (declare / "requirements.txt").write_text("idle\n")
    assert drift(declare)[0] == 1
    assert drift(declare, "--ignore", "unused")[0] == 0


def test_where_nothing_is_declared_nothing_can_be_judged(declare: Path) -> None:
    """Without declarations, and with one that is broken, exit status is 3 and a sentence says why."""
    done = run_rtrace("drift", cwd=declare)
    assert done.returncode == 3
    assert b"cannot be judged: no file declares what . needs" in done.stdout
    (declare / "pyproject.toml").write_text("[project\n")
    done = run_rtrace("drift", "--ignore", "undeclared", cwd=declare)
    assert b"pyproject.toml is not as it should be" in done.stderr


def test_a_bundle_is_compared_with_a_folder(declare: Path, tmp_path: Path) -> None:
    """Of a bundle, the metadata in it say what needs what; declarations come from it, or from --project."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_text("top_one\nbeside<3\n")
    assert run_rtrace("pack", "-q", tmp_path / "b.rpz", cwd=declare).returncode == 0
    status, lines, _ = drift(tmp_path, "b.rpz", "--project", project)
    assert (status, lines) == (1, [["version", "python", "beside", "<3", "3.0", "requirements.txt"]])
    assert drift(tmp_path, "b.rpz")[0] == 3


def test_what_was_used_is_pinned_and_installs(declare: Path, tmp_path: Path) -> None:
    """Pip takes the requirements that were written, and installs the same distributions in these versions."""
    (declare / "requirements.in").write_text("top-one\nbeside\n")
    pins = declare / "requirements.txt"
    status, _, said = drift(declare, "--write", "requirements")
    assert status == 0
    assert b"no hashes, because those of below, beside, top_one are in no lock file here" in said
    assert pins.read_text().splitlines()[1:] == ["below==1.5", "beside==3.0", "top-one==1.2"]
    target = tmp_path / "installed"
    install(sys.executable, declare.parent / "wheels", "--target", target, "-r", pins)
    assert sorted(path.name for path in target.glob("*.dist-info")) == [
        "below-1.5.dist-info",
        "beside-3.0.dist-info",
        "top_one-1.2.dist-info",
    ]


def test_hashes_that_are_known_are_pinned(declare: Path) -> None:
    """With the hashes of a lock file, pip installs in the mode that demands them; a wrong one it refuses."""
    wheels = {path.name.partition("-")[0]: path for path in (declare.parent / "wheels").glob("*.whl")}
    lines = [
        f"{name}=={version} --hash=sha256:{hashlib.sha256(wheels[name].read_bytes()).hexdigest()}"
        for name, version in (("top_one", "1.2"), ("below", "1.5"), ("beside", "3.0"))
    ]
    (declare / "requirements.in").write_text("\n".join(lines))
    assert drift(declare, "--write", "pinned.txt")[2].endswith(b"wrote pinned.txt\n")
    checked = ("--dry-run", "--require-hashes", "-r", declare / "pinned.txt")
    assert install(sys.executable, declare.parent / "wheels", *checked) == 0
    text = (declare / "pinned.txt").read_text()
    (declare / "pinned.txt").write_text(re.sub("sha256:.{8}", "sha256:00000000", text, count=1))
    assert install(sys.executable, declare.parent / "wheels", *checked, check=False) != 0


def test_nothing_that_is_there_is_replaced_unasked(declare: Path) -> None:
    """--write refuses a file that exists, unless --force says otherwise, and leaves nothing half written."""
    (declare / "requirements.txt").write_text("top-one\nbeside\n")
    done = run_rtrace("drift", "--write", "requirements", cwd=declare)
    assert done.returncode == 125
    assert b"requirements.txt exists already" in done.stderr
    assert (declare / "requirements.txt").read_text() == "top-one\nbeside\n"
    assert run_rtrace("drift", "--write", "requirements", "--force", cwd=declare).returncode == 0
    assert "below==1.5" in (declare / "requirements.txt").read_text()
    assert run_rtrace("drift", "--write", "a/new/folder/requirements.txt", cwd=declare).returncode != 125
    assert (declare / "a/new/folder/requirements.txt").read_text() == (declare / "requirements.txt").read_text()
    shutil.rmtree(declare / "a")
    refused = run_rtrace("drift", "--write", "requirements.txt/requirements.txt", cwd=declare)
    assert (refused.returncode, refused.stderr.count(b"\n")) == (125, 1)
    assert not list(declare.glob("*.incomplete"))


def test_names_in_a_table_cannot_command_a_terminal(declare: Path) -> None:
    """Control characters that a file brings are shown, not obeyed."""
    (declare / "package.json").write_text(json.dumps({"dependencies": {"a\x1b[2Jb": "\x1b]0;x\x07"}}))
    done = run_rtrace("drift", cwd=declare)
    (declare / "package.json").unlink()
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.requires("npm", "node")
def test_drift_of_packages_of_npm(tmp_path: Path) -> None:
    """Packages in node_modules, with the lock that npm wrote; nothing is fetched."""
    for name, needed in (("top", {"below": "^1.0.0"}), ("below", {}), ("beside", {})):
        folder = tmp_path / "sources" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.4.0", "dependencies": needed}))
        (folder / "index.js").write_text("require('below');" if name == "top" else "")
        call("npm", "pack", "--silent", "--pack-destination", tmp_path, cwd=folder)
    study = tmp_path / "study"
    study.mkdir()
    (study / "package.json").write_text(json.dumps({"name": "study", "version": "1.0.0"}))
    archives = [tmp_path / f"{name}-1.4.0.tgz" for name in ("below", "top", "beside")]
    call("npm", "install", "--offline", "--no-audit", "--no-fund", "--no-save", *archives, cwd=study)
    (study / "main.js").write_text("require('top'); require('beside'); require('fs').writeFileSync('out', 'done')")
    traced = run_rtrace("trace", "-q", "node", "main.js", cwd=study)
    assert traced.returncode == 0, traced.stderr
    declared = {"dependencies": {"top": "~1.3.0", "left": "*"}, "devDependencies": {"beside": "^1"}}
    (study / "package.json").write_text(json.dumps(declared))
    status, lines, _ = drift(study)
    assert status == 1
    assert lines == [
        ["undeclared", "npm", "beside", "-", "1.4.0", "package.json"],
        ["version", "npm", "top", "~1.3.0", "1.4.0", "package.json"],
        ["unused", "npm", "left", "*", "-", "package.json"],
    ]


@pytest.mark.requires("uv")
def test_a_project_of_uv_is_locked_again_by_what_was_used(tmp_path: Path) -> None:
    """Uv's own lock is read, and uv and pip take the pylock.toml and the hashes that are written from it."""
    uv = CHECKOUT / ".bench/uv/bin/uv"
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "study"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["packaging"]\n'
        '[dependency-groups]\ndev = ["click"]\n'
    )
    call(uv, "sync", "-q", cwd=tmp_path)
    (tmp_path / "run.py").write_text(PYTHON)
    traced = run_rtrace("trace", "-q", ".venv/bin/python", "run.py", cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    status, ((kind, ecosystem, name, _, _, source),), _ = drift(tmp_path, "--write", "pylock")
    assert (status, kind, ecosystem, name, source) == (1, "undeclared", "python", "click", "pyproject.toml")
    assert drift(tmp_path, "--write", "requirements")[0] == 1
    for file in ("pylock.toml", "requirements.txt"):
        done = call(uv, "pip", "install", "--dry-run", "--reinstall", "-r", file, cwd=tmp_path)
        assert b"packaging==" in done.stderr
    assert b"--hash=sha256:" in (tmp_path / "requirements.txt").read_bytes()


@pytest.mark.requires("Rscript", "R")
def test_drift_of_packages_of_r(tmp_path: Path) -> None:
    """Packages in a library, with DESCRIPTION and renv.lock; what is written is JSON with R's version and theirs."""
    library = tmp_path / "library"
    library.mkdir()
    for name, needed in (("below", ""), ("topmost", "Imports: below\n"), ("beside", "")):
        source = tmp_path / "sources" / name
        (source / "R").mkdir(parents=True)
        (source / "DESCRIPTION").write_text(
            f"Package: {name}\nVersion: 1.4.0\nTitle: T\nDescription: D.\nLicense: GPL-2\nAuthor: A\n{needed}"
        )
        (source / "NAMESPACE").write_text("import(below)\n" if needed else "export(f)\n")
        (source / "R/f.R").write_text("f <- function() 1\n")
        call("R", "CMD", "INSTALL", "--no-test-load", f"--library={library}", source, cwd=tmp_path)
    study = tmp_path / "study"
    study.mkdir()
    (study / "run.R").write_text(
        f'.libPaths("{library}")\nlibrary(topmost)\nlibrary(beside)\nwriteLines("done", "out")\n'
    )
    traced = run_rtrace("trace", "-q", "Rscript", "run.R", cwd=study)
    assert traced.returncode == 0, traced.stderr
    (study / "DESCRIPTION").write_text("Package: study\nImports: topmost (>= 2.0), idle\nSuggests: beside\n")
    status, lines, _ = drift(study)
    assert status == 1
    assert [line for line in lines if line[1] == "R"] == [
        ["undeclared", "R", "beside", "-", "1.4.0", "DESCRIPTION"],
        ["version", "R", "topmost", ">= 2.0", "1.4.0", "DESCRIPTION"],
        ["unused", "R", "idle", "-", "-", "DESCRIPTION"],
    ]
    assert drift(study, "--write", "renv")[0] == 1
    lock = json.loads((study / "renv.lock").read_bytes())
    assert {name: one["Version"] for name, one in lock["Packages"].items()} == dict.fromkeys(
        ("below", "beside", "topmost"), "1.4.0"
    )
    (study / "DESCRIPTION").unlink()
    assert drift(study)[:2] == (0, [])


INSTALL_WITH_RATTLER = """
import asyncio, os, sys
from rattler import PackageRecord, RepoDataRecord, install
folder, *names = sys.argv[1:]
records = [
    RepoDataRecord(PackageRecord.from_index_json(f"{folder}/{name}.json"), name, f"file://{folder}/noarch/{name}", f"file://{folder}")
    for name in names
]
asyncio.run(install(records, f"{folder}/env", cache_dir=f"{folder}/cache", show_progress=False))
os._exit(0)  # it is done; when Python ends by itself, one run in twenty crashes in the threads of the library
"""


def make_conda_package(folder: Path, name: str, depends: list[str]) -> str:
    """Build a package of conda that has one program, and return the name of its archive."""
    program = f"#!/bin/sh\n{'exec $(dirname $0)/below' if depends else 'echo done > out'}\n".encode()
    index = {"name": name, "version": "1.5", "build": "h1_3", "build_number": 3, "subdir": "noarch", "depends": depends}
    place = {"_path": f"bin/{name}", "path_type": "hardlink", "size_in_bytes": len(program)}
    paths = [{**place, "sha256": hashlib.sha256(program).hexdigest()}]
    files = {
        f"bin/{name}": program,
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": f"bin/{name}".encode(),
    }
    archive = f"{name}-1.5-h1_3.tar.bz2"
    (folder / "noarch").mkdir(exist_ok=True)
    with tarfile.open(folder / "noarch" / archive, "w:bz2") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    (folder / f"{archive}.json").write_bytes(files["info/index.json"])
    return archive


@pytest.mark.requires("rattler")
def test_drift_of_an_environment_of_conda(tmp_path: Path) -> None:
    """What a declared package depends on is declared; versions are compared without builds, and pinned with them."""
    archives = [make_conda_package(tmp_path, "below", []), make_conda_package(tmp_path, "topmost", ["below >=1"])]
    call(CHECKOUT / ".bench/rattler/bin/python", "-c", INSTALL_WITH_RATTLER, tmp_path, *archives)
    study = tmp_path / "study"
    study.mkdir()
    traced = run_rtrace("trace", "-q", tmp_path / "env/bin/topmost", cwd=study)
    assert traced.returncode == 0, traced.stderr
    (study / "environment.yml").write_text("dependencies: [topmost=1.5, idle]\n")
    status, lines, _ = drift(study)
    assert (status, lines) == (1, [["unused", "conda", "idle", "-", "-", "environment.yml"]])
    (study / "environment.yml").write_text("dependencies: [topmost=1.4]\n")
    status, lines, _ = drift(study, "--write", "pinned.yml")
    assert (status, lines) == (1, [["version", "conda", "topmost", "=1.4", "1.5", "environment.yml"]])
    pinned = (study / "pinned.yml").read_text()
    assert f'  - "file://{tmp_path}"\n' in pinned
    assert '  - "below=1.5=h1_3"\n  - "topmost=1.5=h1_3"\n' in pinned
