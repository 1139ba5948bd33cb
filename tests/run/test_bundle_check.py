"""`rtrace check`: a change of any byte is found, and its place told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_samples import Sample, make_bundle

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A bundle with every kind of entry."""
    return make_bundle(tmp_path_factory.mktemp("sample"))


def test_the_command_answers_people_and_programs(sample: Sample, rtrace: Rtrace, tmp_path: Path) -> None:
    """Status 0 and the identity for a whole bundle; 1 and the damaged range, or the wrong identity, otherwise."""
    whole = rtrace("check", sample.path)
    assert (whole.returncode, whole.stdout.decode()) == (
        0,
        f"{sample.path} is intact; identity: sha256:{sample.identity}\n",
    )
    assert rtrace("check", "--identity", f"sha256:{sample.identity}", sample.path).returncode == 0
    other = rtrace("check", "--identity", "sha256:00", sample.path)
    assert other.returncode == 1
    assert f"is intact, but its identity is sha256:{sample.identity}, not sha256:00".encode() in other.stdout
    damaged = tmp_path / "damaged.rpz"
    content = bytearray(sample.path.read_bytes())
    content[-2000] ^= 4
    damaged.write_bytes(content)
    answer = rtrace("check", "--json", damaged)
    assert answer.returncode == 1
    facts = json.loads(answer.stdout)
    assert (facts["format"], facts["intact"], facts["reason"]) == (1, False, "damaged")
    assert facts["first"] <= len(content) - 2000 <= facts["last"]
    missing = rtrace("check", tmp_path / "missing.rpz")
    assert (missing.returncode, b"is not a file" in missing.stderr) == (125, True)
