"""The manifest that rtrace proposes: inputs and outputs as a person would name them."""

import os
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.manifest.reading.load import load
from trace_builder import TraceBuilder


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace with one run begun."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    return builder


def test_a_file_behind_a_symlink_has_the_name_of_that(tmp_path: Path) -> None:
    """As git-annex and DataLad keep data: in a hidden folder, where a link or a linked folder leads."""
    objects = tmp_path / ".git/annex/objects/ab"
    objects.mkdir(parents=True)
    (objects / "MD5E-s2--ab.csv").write_text("1\n")
    (tmp_path / ".store").mkdir()
    (tmp_path / ".store/table.csv").write_text("2\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/chain.csv").symlink_to("x.csv")
    (tmp_path / "data/x.csv").symlink_to("../.git/annex/objects/ab/MD5E-s2--ab.csv")
    (tmp_path / "more").symlink_to(".store")
    (tmp_path / "visible.csv").write_text("3\n")
    (tmp_path / "latest.csv").symlink_to("visible.csv")
    script = (
        "cat data/chain.csv data/x.csv more/table.csv latest.csv > .git/annex/objects/ab/MD5-s6;"
        " ln -s .git/annex/objects/ab/MD5-s6 result.csv"
    )
    assert run_rtrace("trace", "sh", "-c", script, cwd=tmp_path).returncode == 0
    manifest = load(tmp_path / ".rtrace/manifest.yml")
    named = {file.name: os.fsdecode(file.path) for file in (*manifest.inputs, *manifest.outputs)}
    assert named == {
        "chain.csv": f"{objects}/MD5E-s2--ab.csv",
        "table.csv": f"{tmp_path}/.store/table.csv",
        "visible.csv": f"{tmp_path}/visible.csv",
        "result.csv": f"{objects}/MD5-s6",
        "result.csv_link": f"{tmp_path}/result.csv",
    }
