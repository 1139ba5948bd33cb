"""Packages of languages: whose files they are, read from what the package managers left."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.language.python import Python
from rtrace.packages.language.self_describing import Folders
from rtrace.packages.model import Installed


@pytest.mark.parametrize("name", ["numpy", "hypothesis", "PyYAML"])
def test_every_file_of_an_installed_distribution_is_its_own(name: str) -> None:
    """All that pip has installed here for a project, and what Python compiled of it, is attributed with the version."""
    installed = distribution(name)
    paths = [os.path.realpath(os.fsencode(str(installed.locate_file(file)))) for file in installed.files or ()]
    paths = [path for path in paths if os.path.exists(path)]
    compiled = [
        os.path.join(os.path.dirname(path), b"__pycache__", os.path.basename(path)[:-3] + b".cpython-311.opt-1.pyc")
        for path in paths
        if path.endswith(b".py") and b"-packages/" in path
    ]
    owners = attribute(paths + compiled).owners
    assert len(paths) > 10
    assert {path for path in paths + compiled if path not in owners and b"-packages/" in path} == set()
    found = {owner for path, owner in owners.items() if b"-packages/" in path}
    assert {(owner.name.lower(), owner.version, owner.manager) for owner in found} == {
        (name.lower(), installed.version, "python")
    }


def test_what_is_generated_in_a_distributions_folder_belongs_to_it(tmp_path: Path) -> None:
    """A file that RECORD does not list belongs to the only distribution of its folder; in a shared one to none."""
    site = tmp_path / "site-packages"
    for name, files in {"one-1.dist-info": ("one/a.py", "both/a.py"), "two-2.dist-info": ("both/b.py",)}.items():
        (site / name).mkdir(parents=True)
        (site / name / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    generated, shared, listed = (bytes(site / name) for name in ("one/cache.bin", "both/cache.bin", "both/b.py"))
    owners = Python().find_owners([generated, shared, listed])
    assert owners == {
        generated: Installed("one", "1", "any", "python"),
        listed: Installed("two", "2", "any", "python"),
    }


@pytest.mark.parametrize("with_modules", [True, False])
def test_what_a_wheel_puts_outside_of_the_site_folder_is_its_own(tmp_path: Path, *, with_modules: bool) -> None:
    """Programs, data and settings that RECORD lists have an owner, also where no module was used with them."""
    prefix = tmp_path / "share/project/prefix"
    site = prefix / "lib/python3.11/site-packages"
    (site / "tool-1.dist-info").mkdir(parents=True)
    files = ("bin/tool", "share/jupyter/kernels/tool/kernel.json", "etc/tool/settings.json")
    (site / "tool-1.dist-info/RECORD").write_text("tool.py,,\n" + "".join(f"../../../{file},,\n" for file in files))
    listed = [bytes(prefix / file) for file in files] + ([bytes(site / "tool.py")] if with_modules else [])
    other = bytes(prefix / "bin/other")
    owners = attribute([*listed, other]).owners
    assert owners == dict.fromkeys(listed, Installed("tool", "1", "any", "python"))


def test_two_sites_may_have_the_same_distribution(tmp_path: Path) -> None:
    """Names are unique: the second site's distribution says where it is."""
    paths = []
    for number in (1, 2):
        folder = tmp_path / f"{number}/site-packages/one-{number}.dist-info"
        folder.mkdir(parents=True)
        (folder / "RECORD").write_text("one.py,,\n")
        paths.append(bytes(folder.parent / "one.py"))
    owners = Python().find_owners(paths)
    assert [(owners[path].name, owners[path].version) for path in paths] == [
        ("one", "1"),
        (f"one in {tmp_path}/2/site-packages", "2"),
    ]


def test_folders_that_say_what_they_are(tmp_path: Path) -> None:
    """Npm's package.json, R's DESCRIPTION and a gem's specification name their packages, the innermost one counts."""
    files = {
        "node_modules/a/package.json": json.dumps({"name": "a", "version": "1.2.3"}),
        "node_modules/a/node_modules/@s/b/package.json": json.dumps({"name": "@s/b", "version": "2.0.0"}),
        "node_modules/broken/package.json": "{",
        "R/library/MASS/DESCRIPTION": "Package: MASS\nVersion: 7.3-58\nBuilt: R 4.2.2; x86_64-pc-linux-gnu; 2023\n",
        "ruby/specifications/rake-13.0.6.gemspec": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    expected = {
        "node_modules/a/index.js": Installed("a", "1.2.3", "any", "npm"),
        "node_modules/a/node_modules/@s/b/lib/x.js": Installed(
            f"@s/b in {tmp_path}/node_modules/a/node_modules/@s", "2.0.0", "any", "npm"
        ),
        "node_modules/broken/index.js": None,
        "node_modules/none/index.js": None,
        "R/library/MASS/R/MASS.rdb": Installed("MASS", "7.3-58", "x86_64-pc-linux-gnu", "R"),
        "ruby/gems/rake-13.0.6/lib/rake.rb": Installed("rake", "13.0.6", "any", "gem"),
        "ruby/gems/other-1.0/lib/other.rb": None,
    }
    owners = Folders().find_owners([bytes(tmp_path / name) for name in expected])
    assert {name: owners.get(bytes(tmp_path / name)) for name in expected} == expected


@pytest.mark.requires("npm")
def test_what_npm_installs_is_its_packages(tmp_path: Path) -> None:
    """Npm's own installation is attributed, with the address that its lock file has."""
    source = tmp_path / "hello"
    source.mkdir()
    (source / "package.json").write_text('{"name": "@me/hello", "version": "1.2.3", "bin": {"hello": "cli.js"}}')
    (source / "cli.js").write_text("#!/usr/bin/env node\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/package.json").write_text('{"name": "app", "version": "1.0.0"}')
    environ = {**os.environ, "npm_config_cache": str(tmp_path / "cache"), "npm_config_update_notifier": "false"}
    for command, folder in (
        (["pack"], source),
        (["install", "--offline", "../hello/me-hello-1.2.3.tgz"], tmp_path / "app"),
    ):
        done = subprocess.run(["npm", *command], cwd=folder, env=environ, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    code = bytes(tmp_path / "app/node_modules/@me/hello/cli.js")
    link = bytes(tmp_path / "app/node_modules/.bin/hello")
    owners, reasons = attribute([code, link], {link: os.readlink(link)})
    owner = Installed("@me/hello", "1.2.3", "any", "npm", "file:../hello/me-hello-1.2.3.tgz")
    assert owners == {code: owner, link: owner}
    assert reasons == {link: "symlink"}


@pytest.mark.requires("gem")
def test_what_gem_installs_is_its_packages(tmp_path: Path) -> None:
    """RubyGems' own installation is attributed: its files, its specification and the program in ``bin``."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hello").write_text("puts 1\n")
    (tmp_path / "hello.gemspec").write_text(
        'Gem::Specification.new do |s|\n  s.name = "hello"\n  s.version = "1.2.3"\n  s.summary = "x"\n'
        '  s.authors = ["me"]\n  s.files = ["bin/hello"]\n  s.bindir = "bin"\n  s.executables = ["hello"]\nend\n'
    )
    home = tmp_path / "home"
    for command in (
        ["build", "hello.gemspec"],
        ["install", "--local", "--no-document", "--install-dir", home, "--bindir", home / "bin", "hello-1.2.3.gem"],
    ):
        done = subprocess.run(["gem", *command], cwd=tmp_path, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    names = ("gems/hello-1.2.3/bin/hello", "specifications/hello-1.2.3.gemspec", "bin/hello", "cache/hello-1.2.3.gem")
    paths = [bytes(home / name) for name in names]
    assert all(map(os.path.exists, paths))
    assert attribute(paths).owners == dict.fromkeys(paths, Installed("hello", "1.2.3", "any", "gem"))
