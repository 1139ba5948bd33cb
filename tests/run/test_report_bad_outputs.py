"""Outputs that are no plain files, or mean harm: of each the truth is told, and the rest has its verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from changing_programs import pack_program
from observing import run_rtrace

pytestmark = pytest.mark.requires("user-namespaces")
MEMORY = 1 << 30
PROGRAM = """\
import gzip, os, sys
again = os.getpid() < 100  # the replay has processes of its own
def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
for name in ("folder", "fifo", "link", "huge", "closed", "gone", "same", "broken.png", "broken.pdf", "bomb.gz"):
    if name == "same":
        write(name, b"same")
    elif not again:
        write(name, {"broken.png": b"\\x89PNG\\r\\n\\x1a\\n1", "broken.pdf": b"%PDF-1.4 1"}.get(name, b"1"))
if again:
    os.mkdir("folder")
    os.mkfifo("fifo")
    os.symlink("/../../../etc/passwd", "link")
    with open("huge", "wb") as file:
        file.truncate(5 << 30)
    write("closed", b"2")
    os.chmod("closed", 0)
    write("broken.png", b"\\x89PNG\\r\\n\\x1a\\n" + b"2" * 50)
    write("broken.pdf", b"%PDF-1.4 2")
    with gzip.open("bomb.gz", "wb", 1) as file:
        for _ in range(200):
            file.write(bytes(1 << 20))
elif True:
    with gzip.open("bomb.gz", "wb", 1) as file:
        file.write(b"small")
"""
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def test_outputs_that_are_no_files(tmp_path: Path) -> None:
    """A folder, a FIFO, a link, 5 GiB of holes, what may not be read, what is broken and a bomb: a verdict for each."""
    bundle = pack_program(tmp_path / "work", PROGRAM)
    page = tmp_path / "report.html"
    command = [sys.executable, "-m", "rtrace", "verify", "--no-history", "--json", "--html", str(page), str(bundle)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "used"), *command], check=False, capture_output=True, timeout=300
    )
    assert done.returncode == 1, done.stderr
    lines = {os.path.basename(one["path"] or ""): one for one in json.loads(done.stdout)["lines"]}
    told = {name: (one["verdict"], one["detail"]) for name, one in lines.items() if name}
    assert told["same"] == ("same", "")
    assert told["folder"] == ("different", "a directory, was a file")
    assert told["fifo"] == ("different", "a FIFO, was a file")
    assert told["link"] == ("different", "a symbolic link, was a file")
    assert told["huge"] == ("different", f"{5 << 30} bytes, was 1")
    assert told["gone"] == ("missing", "")
    assert told["closed"][0] == "different"
    for name in ("broken.png", "broken.pdf", "bomb.gz"):
        assert told[name][0] == "different", told[name]
    text = page.read_text()
    assert all(text.count(f"</span>{name}<") >= 1 for name in told)
    assert "larger than 1 GiB" in text
    assert int((tmp_path / "used").read_text()) << 10 < MEMORY


@pytest.mark.parametrize(
    "program, options, status, words",
    [
        ("import os, time\nif os.getpid() < 100: time.sleep(600)", ("--timeout", "2"), 124, "ended by --timeout"),
        ("import os\nif os.getpid() < 100: os.kill(os.getpid(), 11)", (), 1, "139, was 0"),
        ("import os\nif os.getpid() < 100: x = bytearray(900 << 20)", ("--memory", "200M"), None, ""),
        ("import os\nopen('x', 'wb').write(bytes(80 << 20 if os.getpid() < 100 else 9))", ("--disk", "20M"), None, ""),
    ],
    ids=["hangs", "crashes", "memory", "disk"],
)
def test_replay_that_comes_to_no_good_end(
    tmp_path: Path, program: str, options: tuple[str, ...], status: int | None, words: str
) -> None:
    """Where the replay hangs, crashes or wants too much, the page is written and says so; that is no `same`."""
    bundle = pack_program(tmp_path / "work", program + "\nprint('done')\n")
    page = tmp_path / "report.html"
    done = run_rtrace("verify", "--no-history", *options, "--html", page, bundle)
    assert done.returncode in ({status} if status is not None else {1, 3}), (done.stdout, done.stderr)
    text = page.read_text()
    assert words in text
    assert ">no verdict<" in text or ">different<" in text
    assert ">all 3 results are identical<" not in text.lower()


def test_interrupted_verification_writes_no_page(tmp_path: Path) -> None:
    """An older page stays, nothing is left beside it, and a sentence says that no page was written."""
    waiting = "import os, time\nprint('waiting', flush=True)\nif os.getpid() < 100: time.sleep(600)\n"
    bundle = pack_program(tmp_path / "work", waiting)
    page = tmp_path / "report.html"
    page.write_text("older")
    command = [sys.executable, "-m", "rtrace", "verify", "--no-history", "--html", str(page), str(bundle)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"waiting" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"no report is written" in said
    assert (page.read_text(), sorted(os.listdir(tmp_path))) == ("older", ["bundle.rpz", "report.html", "work"])


def test_place_that_cannot_be_written_is_told_before_the_replay(tmp_path: Path) -> None:
    """A folder, a device or a folder that is not there costs no replay, and nothing is printed of one."""
    for place in (tmp_path, tmp_path / "nowhere/report.html", "/dev/null"):
        done = run_rtrace("verify", "--html", place, tmp_path / "no-bundle.rpz")
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
        assert str(place).encode().removesuffix(b"/report.html") in done.stderr
