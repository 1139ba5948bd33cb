"""Prefixes of conda and of clusters, eggs, editable installs, and programs that say what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.language.hpc import Hpc
from rtrace.packages.language.python import Python
from rtrace.packages.model import Installed


def test_prefixes_of_spack_easybuild_and_modules(tmp_path: Path) -> None:
    """Spack's spec, EasyBuild's easyconfig, and the modules that were loaded name what lies below them."""
    spack = tmp_path / "spack/zlib-1.3-abcdefg"
    node = {
        "name": "zlib",
        "version": "1.3",
        "arch": {"platform": "linux", "platform_os": "debian12", "target": {"name": "zen2"}},
        "hash": "abcdefghij",
    }
    files = {
        "spack/zlib-1.3-abcdefg/.spack/spec.json": json.dumps({"spec": {"_meta": {"version": 4}, "nodes": [node]}}),
        "software/GROMACS/2023.1-foss/easybuild/GROMACS-2023.1-foss.eb": "",
        "spack/broken/.spack/spec.json": "{}",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    expected = {
        bytes(spack / "lib/libz.so"): Installed(
            "zlib/abcdefg", "1.3", "linux-debian12-zen2", "spack", "hash abcdefghij"
        ),
        bytes(tmp_path / "software/GROMACS/2023.1-foss/bin/gmx"): Installed(
            "GROMACS", "2023.1-foss", "any", "easybuild", "GROMACS-2023.1-foss.eb"
        ),
        b"/apps/openmpi/4.1.5/lib/libmpi.so": Installed("openmpi", "4.1.5", "any", "module", "/apps/openmpi/4.1.5"),
        b"/apps/openmpi/4.1/lib/libmpi.so": None,
        b"/modulefiles/openmpi/4.1.5": Installed("openmpi", "4.1.5", "any", "module", "/apps/openmpi/4.1.5"),
        b"/modulefiles/openmpi/4.1.5.old": None,
        b"/modulefiles/Core/cuda/12.lua": Installed("cuda", "12", "any", "module", "/modulefiles/Core/cuda/12.lua"),
        bytes(tmp_path / "spack/broken/lib/x"): None,
    }
    owners = Hpc([b"openmpi/4.1.5", b"cuda/12", b"unversioned"]).find_owners(list(expected))
    assert {path: owners.get(path) for path in expected} == expected


def test_eggs(tmp_path: Path) -> None:
    """Of setup.py's and easy_install's distributions, listed files, top folders and whole eggs are attributed."""
    site = tmp_path / "site-packages"
    files = {
        "one-1.0.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: One\nVersion: 1.0\n\nName: not me\n",
        "one-1.0.egg-info/installed-files.txt": "../single.py\nPKG-INFO\n",
        "two_x-2.0-py3.11.egg-info": "Name: two-x\nVersion: 2.0\nHome-page: http://two\n",
        "three-3.0-py3.11.egg/EGG-INFO/PKG-INFO": "Name: three\nVersion: 3.0\n",
    }
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    expected = {
        "single.py": ("One", "1.0"),
        "two_x/a.py": ("two-x", "2.0"),
        "two_x-2.0-py3.11.egg-info": ("two-x", "2.0"),
        "three-3.0-py3.11.egg/three/b.py": ("three", "3.0"),
        "four.py": None,
    }
    owners = Python().find_owners([bytes(site / name) for name in expected])
    found = {name: owners.get(bytes(site / name)) for name in expected}
    assert {name: owner and (owner.name, owner.version) for name, owner in found.items()} == expected


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06" + bytes(18), b"no zip"], ids=["nothing", "an empty zip", "text"]
)
def test_a_file_that_is_no_egg_is_called_by_its_name(content: bytes, tmp_path: Path) -> None:
    """A file of an egg that does not say what it is has name and version of its own name."""
    path = tmp_path / "site-packages/tiny-1.2-py3.11.egg"
    path.parent.mkdir()
    path.write_bytes(content)
    assert Python().find_owners([bytes(path)]) == {bytes(path): Installed("tiny", "1.2", "any", "python")}


def test_python_built_from_source(tmp_path: Path) -> None:
    """The standard library and programs of a Python that nobody packaged belong to it, and no more."""
    prefix = tmp_path / "versions/3.12.1"
    for name in ("lib/python3.12/os.py", "lib/python3.12/site-packages/other.py", "bin/python3.12", "bin/tool"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text("")
    (prefix / "include/python3.12").mkdir(parents=True)
    (prefix / "include/python3.12/patchlevel.h").write_text('#define PY_VERSION             "3.12.1"\n')
    mine = [bytes(prefix / name) for name in ("lib/python3.12/os.py", "lib/libpython3.12.so.1.0", "bin/python3.12")]
    others = [bytes(prefix / name) for name in ("lib/python3.12/site-packages/other.py", "bin/tool", "lib/x")]
    owner = Installed(f"python in {prefix}", "3.12.1", "any", "prefix")
    assert attribute(mine + others).owners == dict.fromkeys(mine, owner)
