"""Packages of languages: whose files they are, read from what the package managers left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.language.python import Python
from rtrace.packages.language.self_describing import Folders
from rtrace.packages.model import Installed


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
