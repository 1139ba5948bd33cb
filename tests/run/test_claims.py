"""`claims:` in the manifest become rows of the verdict of `rtrace verify`."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
PROGRAM = """\
import random
noise = random.random() * 1e-3
for name, value in (("times.csv", 2 + noise), ("counts.csv", 7)):
    with open(name, "w") as file:
        print("n,value", f"1,{value!r}", sep="\\n", file=file)
print("done")
"""
CLAIMS = """
claims:
  - {claim: "It takes about two seconds.", run: run1, outputs: [times.csv], tolerance: 0.01}
  - {claim: "It takes exactly as long.", run: run1, outputs: [times.csv]}
  - claim: It counts to seven, and says so.
    run: run1
    outputs: [counts.csv, stdout]
  - {claim: "All is the same.", run: run1}
"""


@pytest.fixture
def bundle(tmp_path: Path, rtrace: Rtrace) -> Path:
    """A bundle of a program with one output that is another each time, with claims on it."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "run.py").write_text(PROGRAM)
    assert rtrace("trace", "-q", "--no-history", "/usr/bin/python3", "-I", "run.py", cwd=work).returncode == 0
    manifest = work / ".rtrace/manifest.yml"
    manifest.write_text(manifest.read_text() + CLAIMS)
    packed = rtrace("pack", "-q", tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    return tmp_path / "bundle.rpz"


@pytest.mark.requires("user-namespaces")
def test_claims_are_judged_by_their_outputs(bundle: Path, rtrace: Rtrace) -> None:
    """Each within its own tolerance; one that is not reproduced is a difference."""
    done = rtrace("verify", "--no-history", "--json", bundle)
    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert [(row["reproduced"], row["verdict"]) for row in told["claims"]] == [
        (True, "close"),
        (False, "different"),
        (True, "same"),
        (False, "different"),
    ]
    assert "times.csv: table, row 2, column value: 2.0" in told["claims"][1]["detail"]
    verdicts = {Path(line["path"]).name: line["verdict"] for line in told["lines"] if line["path"]}
    assert verdicts == {"times.csv": "close", "counts.csv": "same"}
    done = rtrace("verify", "--no-history", "--tolerance", "0.01", bundle)
    assert done.returncode == 0, done.stdout
    assert b"; all 4 claims are reproduced" in done.stdout
    assert b"same       claim of run1: It counts to seven, and says so.: reproduced, same (3 results)" in done.stdout
    strict = rtrace("verify", "--no-history", "--strict", "--tolerance", "0.01", bundle)
    assert strict.returncode == 1
    assert b"different  claim of run1: It takes about two seconds.: not reproduced (different, /" in strict.stdout
    told = json.loads(rtrace("info", "--json", bundle).stdout)
    assert told["claims"][0]["tolerance"] == 0.01
