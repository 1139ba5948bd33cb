"""`rtrace verify` of programs that write other bytes each time: equal in substance, close, or different at a place."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from changing_programs import pack_program
from observing import run_rtrace

Rtrace = Callable[..., CompletedProcess[bytes]]
pytestmark = pytest.mark.requires("user-namespaces")
PROGRAM = """\
import gzip, json, os, random, sqlite3, struct, sys, tarfile, time, zipfile

chance = random.Random()
noise = chance.random() * 1e-9
with gzip.GzipFile("data.gz", "w", mtime=time.time_ns() // 1000 % 2**31) as file:
    file.write(b"content\\n")
with zipfile.ZipFile("data.zip", "w") as archive:
    archive.writestr(zipfile.ZipInfo("a", (1980 + chance.randrange(100), 1, 1, 0, 0, 0)), "1")
keys = ["a", "b", "c", "d", "e", "f", "g"]
chance.shuffle(keys)
with open("data.json", "w") as file:
    json.dump({key: key for key in keys}, file)
rows = list(range(50))
chance.shuffle(rows)
connection = sqlite3.connect("data.db")
connection.execute("CREATE TABLE t (a, b)")
connection.executemany("INSERT INTO t VALUES (?, ?)", [(row, row / 2) for row in rows])
connection.commit()
connection.close()
with open("loss.csv", "w") as file:
    print("epoch,loss", "1,0.5", f"2,{0.25 + noise!r}", sep="\\n", file=file)
print(f"loss {0.25 + noise!r}")
with open("when.txt", "w") as file:
    print("made by", os.urandom(8).hex(), file=file)
"""


def make(folder: Path, program: str = PROGRAM) -> Path:
    """Trace a program that writes other bytes each time, and pack it."""
    return pack_program(folder, program)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    return make(tmp_path_factory.mktemp("substance") / "work")


@pytest.mark.parametrize("unpacker", ["chroot", pytest.param("docker", marks=pytest.mark.requires("docker"))])
def test_each_output_by_what_it_is(unpacker: str, bundle: Path, rtrace: Rtrace) -> None:
    """Verdicts, places and what is ignored, for a person and for a program."""
    done = rtrace("verify", "--no-history", "--unpacker", unpacker, "--tolerance", "1e-6", "--json", bundle)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    lines = {Path(line["path"] or line["stream"] or "status").name: line for line in told["lines"]}
    assert {name: line["verdict"] for name, line in lines.items()} == {
        "status": "same",
        "stdout": "close",
        "stderr": "same",
        "data.gz": "equal",
        "data.zip": "equal",
        "data.json": "equal",
        "data.db": "equal",
        "loss.csv": "close",
        "when.txt": "different",
    }
    assert told["verdict"] == "different"
    comparison = lines["when.txt"]["comparison"]
    assert (comparison["kind"], comparison["place"]) == ("text", "line 1")
    assert comparison["expected"] != comparison["found"]
    assert 0 < lines["loss.csv"]["comparison"]["amount"] < 1e-9
    assert lines["data.gz"]["comparison"]["ignored"] == ["compression, or name and time in it"]


def test_what_is_alike_is_no_failure(bundle: Path, rtrace: Rtrace) -> None:
    """Status 0 unless bytes are wanted; the least strict likeness is the verdict."""
    common = ("verify", "--no-history", "--ignore", "**/when.txt")
    close = rtrace(*common, "--tolerance", "1e-6", bundle)
    assert close.returncode == 0, close.stdout
    assert b"all 8 results are alike (2 same, 4 equal, 2 close)" in close.stdout
    assert b"close      standard output of run1: text: the largest difference is " in close.stdout
    exact = rtrace(*common, bundle)
    assert exact.returncode == 1
    assert b"loss.csv: table, row 3, column loss: 0.25" in exact.stdout
    strict = rtrace(*common, "--strict", "--tolerance", "1e-6", bundle)
    assert strict.returncode == 1
    assert b"data.gz: same size" in strict.stdout


RULES = """\
import json, os, random, time
with open("log", "w") as file:
    lines = ["Date: " + os.urandom(4).hex(), *random.sample(["a x", "b y", "c z", "d u", "e v"], 5)]
    print(*lines, sep="\\n", file=file)
os.mkdir("d")
with open("d/loss.json", "w") as file:
    json.dump({"meta": {"made": os.urandom(4).hex()}, "loss": 0.25 + random.random() * 1e-9}, file)
print("took", time.monotonic_ns())
"""


def test_rules_of_the_manifest(tmp_path: Path, rtrace: Rtrace) -> None:
    """Lines in any order, what is left out, a tolerance for a folder and a stream; bytes count again with --strict."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "run.py").write_text(RULES)
    traced = rtrace("trace", "-q", "--no-history", "/usr/bin/python3", "-I", "run.py", cwd=work)
    assert traced.returncode == 0, traced.stderr
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    loss = "compare: {tolerance: 1e-6, ignore: ['^/meta/']}"
    for old, new in (
        (
            f"path: {work}/log, runs: [run1]",
            f"path: {work}/log, runs: [run1], compare: {{ignore: ['^Date:'], order: any}}",
        ),
        (f"path: {work}/d/loss.json,", f"path: {work}/d/,"),
        (f"path: {work}/d/, runs: [run1]", f"path: {work}/d/, runs: [run1], {loss}"),
        ("stdout: {", "stdout: {compare: {ignore: ['^took']}, "),
    ):
        assert old in text
        text = text.replace(old, new)
    manifest.write_text(text)
    assert rtrace("pack", "-q", tmp_path / "bundle.rpz", cwd=work).returncode == 0
    for name in ("log", "d/loss.json"):
        (work / name).unlink()
    os.rmdir(work / "d")
    done = rtrace("verify", "--no-history", "--json", tmp_path / "bundle.rpz")
    told = json.loads(done.stdout)
    lines = {Path(line["path"] or line["stream"] or "status").name: line for line in told["lines"]}
    verdicts = {name: line["verdict"] for name, line in lines.items() if name not in {"stderr", "d"}}
    assert verdicts == {"status": "same", "stdout": "equal", "log": "equal", "loss.json": "close"}
    assert "what ^Date: matches" in lines["log"]["comparison"]["ignored"]
    assert "order of lines" in lines["log"]["comparison"]["ignored"]
    info = json.loads(rtrace("info", "--json", tmp_path / "bundle.rpz").stdout)
    assert sorted(one["compare"]["ignore"] for one in info["outputs"]) == [["^/meta/"], ["^Date:"]]
    strict = json.loads(rtrace("verify", "--no-history", "--json", "--strict", tmp_path / "bundle.rpz").stdout)
    assert {line["verdict"] for line in strict["lines"]} == {"same", "different"}


def test_without_the_original_s_content_it_is_as_it_was(bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """A bundle with digests alone says that bytes differ; with digests of blocks, where."""
    work = bundle.parent / "work"
    program = "import os\nwith open('noise', 'wb') as file:\n    file.write(bytes(3 << 20) + os.urandom(9))\n"
    (work / "run.py").write_text(PROGRAM)
    assert rtrace("pack", "-q", "--allow-missing", "--without-outputs", tmp_path / "bare.rpz", cwd=work).returncode == 0
    done = rtrace("verify", "--no-history", tmp_path / "bare.rpz")
    assert done.returncode in {1, 3}
    assert b"equal" not in done.stdout
    blocks = make(tmp_path / "work", program)
    assert rtrace("verify", "--no-history", blocks).returncode == 1
    again = run_rtrace(
        "trace", "-q", "--no-history", "--overwrite", "/usr/bin/python3", "-I", "-c", program, cwd=tmp_path
    )
    assert again.returncode == 0
    assert rtrace("pack", "-q", "--outputs-size", "1M", tmp_path / "blocks.rpz", cwd=tmp_path).returncode == 0
    (tmp_path / "noise").unlink()
    done = rtrace("verify", "--no-history", tmp_path / "blocks.rpz")
    assert done.returncode == 1
    assert b"the first difference is between the bytes 3145728 and 4194304" in done.stdout


def test_hostile_contents_reach_the_terminal_escaped(tmp_path: Path, rtrace: Rtrace) -> None:
    """What a program writes is shown, and obeyed by nobody."""
    program = "import os\nprint('\\x1b[31m', os.getrandom(8), '\\u202e')\n"
    done = rtrace("verify", "--no-history", "-q", make(tmp_path / "work", program))
    assert done.returncode == 1
    assert b"\x1b[31m" not in done.stdout
    assert "\u202e" not in done.stdout.decode()
    assert b"text, line 1\n           was  \\x1b[31m" in done.stdout
    assert b"\n           is   \\x1b[31m" in done.stdout
