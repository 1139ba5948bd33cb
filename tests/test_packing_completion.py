"""Completion: what loads lazily goes in although the run did not touch it, each thing with a switch of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.describe import completion
from rtrace.describe.completion import complete
from rtrace.describe.work_trees import read_index

RECORD = """\
lazy/__init__.py,sha256=x,10
lazy/later.py,sha256=x,20
lazy/__pycache__/later.cpython-311.pyc,,
"lazy/a,b.txt",sha256=x,3
lazy-1.0.dist-info/METADATA,sha256=x,5
../../bin/lazy,sha256=x,7
"""


def make_site(folder: Path) -> Path:
    """Make a site-packages folder with one distribution, of which one module is enough to import it."""
    site = folder / "lib/site-packages"
    for name, content in {
        "lazy/__init__.py": "",
        "lazy/later.py": "value = 42\n",
        "lazy/a,b.txt": "data",
        "lazy-1.0.dist-info/METADATA": "Name: lazy\n",
        "lazy-1.0.dist-info/RECORD": RECORD,
        "other/__init__.py": "",
        "other-2.dist-info/RECORD": "other/__init__.py,,0\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    return site


def test_a_distribution_is_completed_from_its_record(tmp_path: Path) -> None:
    """All that RECORD lists goes in, except compiled files and what was traced; unused distributions stay out."""
    site = make_site(tmp_path)
    used = bytes(site / "lazy/__init__.py")
    (addition,) = complete([used], {used})
    assert (addition.rule, addition.name, addition.size) == ("python", "lazy 1.0", 35)
    assert [path.removeprefix(bytes(tmp_path)) for path in addition.paths] == [
        b"/bin/lazy",
        b"/lib/site-packages/lazy-1.0.dist-info/METADATA",
        b"/lib/site-packages/lazy/a,b.txt",
        b"/lib/site-packages/lazy/later.py",
    ]


def test_the_source_of_a_compiled_module(tmp_path: Path) -> None:
    """Beside each compiled module its source goes in, where there is one."""
    for name in ("a.py", "__pycache__/a.cpython-311.pyc", "__pycache__/gone.cpython-311.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1234")
    (addition,) = complete([bytes(path) for path in (tmp_path / "__pycache__").iterdir()], ())
    assert (addition.rule, addition.paths, addition.size) == ("python", (bytes(tmp_path / "a.py"),), 4)


def test_plugins_beside_one_that_was_loaded(tmp_path: Path) -> None:
    """A folder of plugins is completed when one of them was loaded; a folder of libraries is not."""
    for name in ("plugins/a.so", "plugins/b.so", "lib/a.so", "lib/b.so"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1234")
    used = [bytes(tmp_path / "plugins/a.so"), bytes(tmp_path / "lib/a.so")]
    (addition,) = complete(used, used)
    assert (addition.rule, addition.paths, addition.size) == ("plugins", (bytes(tmp_path / "plugins/b.so"),), 4)


@pytest.mark.parametrize(
    "used",
    ["lazy-1.0.dist-info/METADATA", "lazy-1.0.dist-info/entry_points.txt", "lazy-1.0.dist-info/RECORD", "lazy/a,b.txt"],
)
def test_what_is_said_about_a_distribution_is_no_use_of_it(tmp_path: Path, used: str) -> None:
    """A look for entry points reads the metadata of all that is installed, and imports none of it."""
    path = bytes(make_site(tmp_path) / used)
    assert complete([path], {path}) == []


def test_the_rest_of_a_namespace_stays_out(tmp_path: Path) -> None:
    """Distributions that share a folder are others: the one that was imported is completed."""
    site = tmp_path / "lib/site-packages"
    for name in ("one", "two"):
        (site / "shared" / name).mkdir(parents=True)
        (site / f"{name}-1.dist-info").mkdir()
        files = (f"shared/{name}/__init__.py", f"shared/{name}/later.py")
        for file in files:
            (site / file).write_text("")
        (site / f"{name}-1.dist-info/RECORD").write_text("".join(f"{file},,0\n" for file in files))
    used = bytes(site / "shared/one/__init__.py")
    (addition,) = complete([used], {used})
    assert (addition.name, addition.paths) == ("one 1", (bytes(site / "shared/one/later.py"),))


@pytest.mark.parametrize("used", ["lazy/__pycache__/__init__.cpython-311.pyc", "lazy/fast.so", "lazy/tool"])
def test_compiled_modules_libraries_and_programs_are_uses(tmp_path: Path, used: str) -> None:
    """Whatever of it is loaded or executed completes a distribution."""
    site = make_site(tmp_path)
    with (site / "lazy-1.0.dist-info/RECORD").open("a") as record:
        record.write("lazy/fast.so,,1\nlazy/tool,,1\n")
    path = bytes(site / used)
    names = [addition.name for addition in complete([path], {path}, {path} if used == "lazy/tool" else ())]
    assert "lazy 1.0" in names


def test_a_start_of_python_uses_no_distribution(tmp_path: Path) -> None:
    """What setuptools has every Python load at its start does not bring the rest of it."""
    site = tmp_path / "lib/site-packages"
    for name in ("_distutils_hack/__init__.py", "setuptools/__init__.py", "setuptools-1.dist-info/RECORD"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("_distutils_hack/__init__.py,,0\nsetuptools/__init__.py,,0\n")
    path = bytes(site / "_distutils_hack/__init__.py")
    assert complete([path], {path}) == []


def test_a_time_zone_comes_with_its_other_names(tmp_path: Path) -> None:
    """Links and copies of the zone in use go in, and no other zone."""
    zones = tmp_path / "zoneinfo"
    (zones / "Europe").mkdir(parents=True)
    for name, content in {"Europe/Paris": b"TZif1", "Copy": b"TZif1", "Europe/Rome": b"TZif2"}.items():
        (zones / name).write_bytes(content)
    (zones / "Link").symlink_to("Europe/Paris")
    (zones / "Other").symlink_to("Europe/Rome")
    (zones / "zone.tab").write_bytes(b"TZif1")
    used = bytes(zones / "Europe/Paris")
    (addition,) = complete([used], {used})
    assert addition.rule == "timezone"
    assert [os.path.basename(path) for path in addition.paths] == [b"Copy", b"Link"]


def test_many_time_zones_are_completed_as_one(tmp_path: Path) -> None:
    """Where a program looks at each zone, as `zoneinfo.available_timezones` does, the manifest has one switch."""
    zones = tmp_path / "zoneinfo"
    zones.mkdir()
    for number in range(20):
        (zones / f"{number}").write_bytes(b"TZif%d" % number)
        (zones / f"copy{number}").write_bytes(b"TZif%d" % number)
    used = frozenset(bytes(zones / f"{number}") for number in range(19))
    (addition,) = complete(used, used)
    assert (addition.rule, addition.name) == ("timezone", str(zones))
    assert set(addition.paths) == {bytes(zones / f"copy{number}") for number in range(19)}


def test_a_distribution_of_time_zones_comes_without_them(tmp_path: Path) -> None:
    """Of zones that a distribution brings, those in use are traced, and the others stay out."""
    site = make_site(tmp_path)
    with (site / "lazy-1.0.dist-info/RECORD").open("a") as record:
        record.write("lazy/zoneinfo/__init__.py,,1\nlazy/zoneinfo/Europe/Paris,,100\nlazy/zones.tab,,1\n")
    path = bytes(site / "lazy/__init__.py")
    (addition,) = complete([path], {path})
    names = [path.partition(b"/lazy/")[2] for path in addition.paths]
    assert b"zoneinfo/__init__.py" in names
    assert b"zones.tab" in names
    assert b"zoneinfo/Europe/Paris" not in names


@pytest.mark.parametrize("used, more", [("ca-certificates.crt", False), ("one.pem", True)])
def test_certificates_come_with_single_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: str, *, more: bool
) -> None:
    """A file with all certificates in it needs no others."""
    for name in ("ca-certificates.crt", "one.pem", "two.pem"):
        (tmp_path / name).write_text("certificate")
    monkeypatch.setattr(completion, "_CERTIFICATES", (bytes(tmp_path),))
    path = bytes(tmp_path / used)
    added = [path for addition in complete([path], {path}) for path in addition.paths]
    assert added == ([bytes(tmp_path / name) for name in ("ca-certificates.crt", "two.pem")] if more else [])


def test_what_is_large_is_not_added_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a size the switch begins as off."""
    used = bytes(make_site(tmp_path) / "lazy/__init__.py")
    assert complete([used], {used})[0].cheap
    monkeypatch.setattr(completion, "CHEAP", 34)
    assert not complete([used], {used})[0].cheap


@pytest.mark.requires("user-namespaces")
def test_a_replay_can_import_what_the_run_did_not(tmp_path: Path) -> None:
    """The manifest shows what completes the run; it is packed, and switched off it is not."""
    site = make_site(tmp_path)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import lazy"
    traced = run_rtrace("trace", "--", "/usr/bin/python3", "-c", script, site, cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    manifest = tmp_path / ".rtrace/manifest.yml"
    line = next(line for line in manifest.read_text().splitlines() if "lazy 1.0" in line)
    assert "pack: true" in line
    assert run_rtrace("pack", "with.rpz", cwd=tmp_path).returncode == 0
    manifest.write_text(manifest.read_text().replace(line, line.replace("pack: true", "pack: false")))
    assert run_rtrace("pack", "without.rpz", cwd=tmp_path).returncode == 0
    listed = {name: run_rtrace("list", f"{name}.rpz", cwd=tmp_path).stdout for name in ("with", "without")}
    assert b"lazy/later.py" in listed["with"]
    assert b"lazy/later.py" not in listed["without"]
    (tmp_path / "without.rpz").unlink()
    shutil.rmtree(site)
    verified = run_rtrace("verify", "with.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout


def git(folder: Path, *arguments: str) -> None:
    """Run git(1) with nothing of the tester's own."""
    nobody = {f"GIT_{who}_{what}": "a@b.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **nobody}
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, env=environ)


def make_repository(folder: Path) -> Path:
    """Make a repository with names of many lengths, one of them without content yet."""
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(1, 24):
        (folder / ("n" * number)).write_text(f"{number}\n")
    (folder / "deep").mkdir()
    (folder / "deep/.gitattributes").write_text("*.txt text\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")
    (folder / "late").write_text("late")
    git(folder, "add", "-N", "late")
    return folder


@pytest.mark.requires("git")
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_the_index_of_git_is_read(tmp_path: Path, version: str) -> None:
    """All names are found in each version of the index, with longer entries, too; none in a torn one."""
    work = make_repository(tmp_path / "work")
    git(work, "update-index", "--index-version", version)
    index = work / ".git/index"
    names = subprocess.run(["git", "-C", work, "ls-files", "-z"], check=True, capture_output=True).stdout.split(b"\0")
    assert read_index(bytes(index)) == names[:-1]
    index.write_bytes(index.read_bytes()[:200])
    assert read_index(bytes(index)) == []


@pytest.mark.requires("git")
def test_what_git_watches_in_each_kind_of_work_tree(tmp_path: Path) -> None:
    """The files that an index names are found where they are: beside it, in a linked work tree, in a submodule."""
    work = make_repository(tmp_path / "work")
    git(work, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(work), "part")
    places = {
        ".git/index": work,
        ".git/worktrees/linked/index": tmp_path / "linked",
        ".git/modules/part/index": work / "part",
    }
    for name, top in places.items():
        looked = {bytes(top / "nnn"): 2, bytes(top / "untracked"): 9, bytes(tmp_path / "nnn"): 3}
        index = bytes(work / name)
        (addition,) = complete([index], {index}, looked=looked)
        assert (addition.rule, addition.name) == ("git", str(top))
        expected = {top / "nnn", top / "deep/.gitattributes"}
        assert set(addition.paths) - {bytes((work / name).parent / "info/attributes")} == set(map(bytes, expected))


def test_what_dvc_watches(tmp_path: Path) -> None:
    """DVC may watch whatever lies in its work tree, but for what is its own."""
    top = bytes(tmp_path)
    looked = {top + b"/data": 3, top + b"/.dvc/cache/x": 4, top + b"/.git/x": 5, b"/elsewhere/data": 6}
    (addition,) = complete([top + b"/.dvc/config"], (), looked=looked)
    assert (addition.rule, addition.paths, addition.size) == ("dvc", (top + b"/data",), 3)


@pytest.mark.requires("git", "user-namespaces")
def test_a_replay_finds_a_work_tree_as_clean_as_it_was(tmp_path: Path) -> None:
    """Git looks at the times of files, and reads in a replay what it did not need to read in the run."""
    work = make_repository(tmp_path / "work")
    (work / "nn").write_text("changed\n")
    script = "git status --porcelain; git diff --stat; git describe --always --dirty"
    run_rtrace("trace", "-q", "sh", "-c", script, cwd=work)
    bundle = tmp_path / "bundle.rpz"
    run_rtrace("pack", bundle, cwd=work)
    work.rename(tmp_path / "hidden")
    verified = run_rtrace("verify", bundle, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    assert b" M nn\n" in verified.stderr
