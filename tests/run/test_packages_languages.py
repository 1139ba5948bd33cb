"""Packages of languages: whose files they are, read from what the package managers left."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
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
