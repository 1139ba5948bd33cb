"""`rtrace trace --twice`: rules are offered, an author takes them over, and a verification obeys."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
PROGRAM = """\
import json, os, random
with open("log", "w") as file:
    print("Date: " + os.urandom(4).hex(), "result 5", sep="\\n", file=file)
with open("a.json", "w") as file:
    json.dump({"made": os.urandom(4).hex(), "loss": 0.25}, file)
with open("fixed", "w") as file:
    file.write("always\\n")
print("took", os.urandom(4).hex())
"""


@pytest.mark.requires("user-namespaces")
def test_offers_are_taken_over(tmp_path: Path, rtrace: Rtrace) -> None:
    """The first results are back in their place and can be packed; with the rules all results are alike."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "run.py").write_text(PROGRAM)
    done = rtrace("trace", "--no-history", "--twice", "/usr/bin/python3", "-I", "run.py", cwd=work)
    assert done.returncode == 0, done.stderr
    assert b"run twice, its stdout differs (text, line 1)" in done.stderr
    assert b"fixed differs" not in done.stderr
    assert sorted(path.name for path in work.iterdir()) == [".rtrace", "a.json", "fixed", "log", "run.py"]
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    assert text.count("# Two runs differ here") == 3
    taken = re.sub(r"(\{[^\n]*)\}\n *# Two runs differ here[^\n]*(compare: \{[^\n]*\})\n", r"\1, \2}\n", text)
    manifest.write_text(taken)
    for name in ("before", "after"):
        manifest.write_text(text if name == "before" else taken)
        packed = rtrace("pack", "-q", tmp_path / f"{name}.rpz", cwd=work)
        assert packed.returncode == 0, packed.stderr
        assert b"changed" not in packed.stderr
    for name in ("log", "a.json", "fixed"):
        (work / name).unlink()
    assert rtrace("verify", "--no-history", tmp_path / "before.rpz").returncode == 1
    told = json.loads(rtrace("verify", "--no-history", "--json", tmp_path / "after.rpz").stdout)
    assert told["verdict"] == "equal", told


def test_what_was_not_compared_is_told(tmp_path: Path, rtrace: Rtrace) -> None:
    """A result that the second run did not write, and a stream in a file that is gone, are no silent agreement."""
    done = rtrace("trace", "--no-history", "--twice", "sh", "-c", "echo same > kept; echo > once.$$", cwd=tmp_path)
    assert (done.returncode, done.stderr.count(b"was not written the second time")) == (0, 1)
    alike = rtrace("trace", "--no-history", "--overwrite", "--twice", "sh", "-c", "echo 1 > kept", cwd=tmp_path)
    assert alike.stderr.splitlines()[-1] == b"rtrace: run twice: 3 results compared, and are alike"
    printed = tmp_path / "printed"
    command = "rtrace trace --no-history --overwrite --twice sh -c 'echo 1; rm -f printed' > printed"
    told = subprocess.run(
        ["sh", "-c", command.replace("rtrace", f"{sys.executable} -m rtrace", 1)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (told.returncode, printed.exists()) == (0, False)
    assert b"its stdout was not compared: " in told.stderr


def test_what_cannot_be_run_twice_is_told(tmp_path: Path, rtrace: Rtrace) -> None:
    """A program that changes its own input is left alone; options that contradict it are refused."""
    (tmp_path / "count").write_text("1\n")
    done = rtrace("trace", "--no-history", "--twice", "sh", "-c", "cat count; echo more >> count", cwd=tmp_path)
    assert done.returncode == 0
    assert b"changes its own input" in done.stderr
    assert (tmp_path / "count").read_text() == "1\nmore\n"
    refused = rtrace("trace", "--twice", "--freeze", "true", cwd=tmp_path)
    assert (refused.returncode, b"--twice and --freeze do not go together" in refused.stderr) == (2, True)
