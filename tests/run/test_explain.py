"""`rtrace verify --explain`: for each output that differs the right cause, for all others none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unsteady import STEADY, UNSTEADY, write_programs

pytestmark = pytest.mark.requires("user-namespaces")

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]
COUNTER = '#include <stdio.h>\nint main(void) { printf("%llu\\n", __builtin_ia32_rdtsc()); }\n'
"""Of x86 processors: since they were started."""
KEY = {"SERVICE_API_KEY": "sk-live-9f8e7d6c5b4a39281706f5e4d3c2b1a0"}


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server that tells something else each time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            number = 0
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # closed
                    return
                number += 1
                with connection:
                    connection.sendall(b"table %d" % number)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def explain(rtrace: Rtrace, bundle: Path) -> dict[str, list[str]]:
    """Verify a bundle; return the causes of what differs, by the name of the file or the stream."""
    done = rtrace("verify", "--explain", "--json", "--no-history", bundle, timeout=900)
    assert done.returncode in {0, 1}, done.stderr.decode()
    lines = json.loads(done.stdout)["lines"]
    assert all(line["causes"] for line in lines if line["scope"] == "output" and line["verdict"] != "same")
    return {(line["path"] or line["stream"] or "").rpartition("/")[2]: line["causes"] for line in lines}


def test_each_program_has_its_cause(rtrace: Rtrace, tmp_path: Path, server: int) -> None:
    """Of 24 programs the twelve that differ for one reason have that one, the others none.

    What depends on several things has several causes; a missing output and the unexpected file beside it are one file,
    whose name has a process id in it; and a processor's own counter is neither pinned nor a cause of the vocabulary.
    The order of names in a folder may be the same by chance: then there is nothing to explain.
    """
    commands = write_programs(tmp_path, server)
    lines = [f"{' '.join(command)} > {name}.out" for name, command in commands.items()]
    lines += ["date +%N > both.out; echo $$ >> both.out", "echo log > log-$$.txt"]
    (tmp_path / "counter.c").write_text(COUNTER)
    if (
        subprocess.run(["gcc", "-o", "counter", "counter.c"], cwd=tmp_path, check=False, capture_output=True).returncode
        == 0
    ):
        lines.append("./counter > counter.out")
    (tmp_path / "all.sh").write_text("\n".join(lines) + "\n")
    for arguments in (("trace", "--no-history", "sh", "all.sh"), ("pack", "b.rpz")):
        done = rtrace(*arguments, env=KEY)
        assert done.returncode == 0, done.stderr.decode()
    found = explain(rtrace, tmp_path / "b.rpz")
    wrong = {
        name: causes
        for name, (cause, _) in UNSTEADY.items()
        if (causes := found[f"{name}.out"]) != [cause] and not (cause == "directory-order" and causes == [])
    }
    assert wrong == {}
    assert {name: found[f"{name}.out"] for name in STEADY if found[f"{name}.out"]} == {}
    assert found["both.out"] == ["time", "process-id"]
    assert found.get("counter.out", ["unknown"]) == ["unknown"]
    logs = [causes for name, causes in found.items() if name.startswith("log-")]
    assert logs in ([["process-id"]], [["process-id"]] * 2)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_another_order_of_names_has_its_cause(rtrace: Rtrace, tmp_path: Path) -> None:
    """A folder on another file system than the replay's tells its names in another order; only that is named."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for number in range(1, 30):
            (Path(folder) / f"p{number * 7919 % 1000}").touch()
        command = ("python3", "-c", "import os, sys; print(os.listdir(sys.argv[1]))", folder)
        for arguments in (("trace", "--no-history", *command), ("pack", "b.rpz")):
            done = rtrace(*arguments)
            assert done.returncode == 0, done.stderr.decode()
    if rtrace("verify", "--no-history", "b.rpz").returncode == 0:
        pytest.skip("both file systems have the same order")
    assert explain(rtrace, tmp_path / "b.rpz")["stdout"] == ["directory-order"]
