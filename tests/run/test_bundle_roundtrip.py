"""What is written into a bundle comes out of it."""

import os
import subprocess
from pathlib import Path

import pytest

from bundle_samples import make_bundle
from hostile_kinds import KINDS
from rtrace.bundle.reading import bundle_reader as reader
from rtrace.bundle.reading import member_reader
from rtrace.operations.check import check_bundle


@pytest.mark.requires("tar", "zstd")
def test_standard_tools_read_a_bundle(tmp_path: Path) -> None:
    """GNU tar and zstd unpack the data as they are, placeholders as sparse files and hard links as hard links."""
    bundle = make_bundle(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", bundle.path, "-C", out], check=True)
    subprocess.run(["tar", "--zstd", "-xf", out / "DATA.tar.zst", "-C", out], check=True)
    for path, content in bundle.contents.items():
        assert Path(os.fsdecode(bytes(out) + b"/DATA" + path)).read_bytes() == content
    placeholder = (out / "DATA/data/placeholder").stat()
    assert (placeholder.st_size, placeholder.st_blocks) == (123_456_789, 0)
    assert (out / "DATA/data/small").samefile(out / "DATA/data/zz-link")
    assert (out / "DATA/data/link").readlink() == Path("../nowhere")
    assert (out / "DATA/data/small").stat().st_mtime == 981_173_106
    listing = subprocess.run(["tar", "--zstd", "-tf", out / "DATA.tar.zst"], check=True, capture_output=True).stdout
    assert len(listing.splitlines()) == len(bundle.items)


@pytest.mark.parametrize("name", sorted(KINDS)[::7])
def test_large_indexes_are_refused_in_the_same_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a bundle does not depend on how much of it may be kept."""
    path = tmp_path / "x.rpz"
    path.write_bytes(KINDS[name].make())
    problem = check_bundle(path).problem
    monkeypatch.setattr(reader, "SMALL_INDEX", 0)
    monkeypatch.setattr(member_reader, "SMALL_INDEX", 0)
    assert check_bundle(path).problem == problem
