"""`rtrace list`: which files are chosen, and how they are shown to a person and to a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from observing import run_rtrace
from rtrace.bundle.entry import Entry, FileType
from rtrace.opening import open_bundle
from rtrace.operations.list import FileChoice, list_entries

READ = Entry(b"/usr/bin/tool", FileType.SYMLINK, 0o777, 0, 0, 0, target=b"x", package="tools", reason="read")
FOUND = READ._replace(path=b"/usr/lib/a\tb", package="libs", reason="looked up", belonging="alternative")
STRANGE = READ._replace(path=b"/work/data", package=None, reason="read", belonging="unowned")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of three symlinks: two of packages, one of nobody."""
    maker = BundleMaker(tmp_path, runnable=False)
    for entry in (READ, FOUND, STRANGE):
        maker.add(entry)
    return maker.write(make_run())


@pytest.mark.parametrize(
    "choice, paths",
    [
        (FileChoice(), {READ.path, FOUND.path, STRANGE.path}),
        (FileChoice(patterns=(b"/usr",)), {READ.path, FOUND.path}),
        (FileChoice(patterns=(b"/usr/b*", b"/work")), {READ.path, STRANGE.path}),
        (FileChoice(packages=("tool?",)), {READ.path}),
        (FileChoice(packages=("tool",)), set()),
        (FileChoice(reasons=("READ",)), {READ.path, STRANGE.path}),
        (FileChoice(reasons=("look*",), packages=("libs",)), {FOUND.path}),
        (FileChoice(unowned=True), {STRANGE.path}),
        (FileChoice(unowned=True, patterns=(b"/usr",)), set()),
    ],
)
def test_files_are_chosen_by_all_that_is_given(choice: FileChoice, paths: set[bytes], bundle: Path) -> None:
    """A pattern, a package, a reason and having no owner each leave fewer; none of them leaves all."""
    with open_bundle(bundle) as opened:
        found = {entry.path for entry in list_entries(opened, choice) if entry.target == b"x"}
    assert found == paths


def test_fields_have_tabs_between_them(bundle: Path) -> None:
    """For programs a line has six fields, and a tab in a name is escaped."""
    lines = [line.split("\t") for line in run_rtrace("list", bundle, "/usr/lib/**").stdout.decode().splitlines()]
    assert lines == [["symlink", "0777", "0", "libs (alternative)", "looked up", "/usr/lib/a\\tb -> x"]]


def test_json_is_one_object(bundle: Path) -> None:
    """The answer to a program has the format, the identity and the files, and is whole with no file, too."""
    told = json.loads(run_rtrace("list", "--json", "--package", "tools", bundle).stdout)
    with open_bundle(bundle) as opened:
        assert (told["format"], told["identity"]) == (1, f"sha256:{opened.identity}")
    assert [file["path"] for file in told["files"]] == ["/usr/bin/tool"]
    assert json.loads(run_rtrace("list", "--json", "--package", "none", bundle).stdout)["files"] == []
