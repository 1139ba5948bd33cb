"""Many at once: forty traces, and several writers of one record."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rtrace.record.history.folder import FolderHistory
from rtrace.record.query import Query


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderHistory:
    """The history of the commands that the test runs."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    return FolderHistory(tmp_path / "history")


def test_forty_traces_in_parallel_each_have_their_record(tmp_path: Path, history: FolderHistory) -> None:
    """`xargs -P` of forty traces: forty records, each with its own command, files and parameters."""
    trace = f"{shlex.quote(sys.executable)} -m rtrace trace -q -d {tmp_path}/trace{{}} --label run{{}}"
    program = "sh -c 'cat in{} > out{}; echo said {}'"
    for number in range(40):
        (tmp_path / f"in{number}").write_text(f"content {number}\n")
    numbers = "\n".join(map(str, range(40)))
    done = subprocess.run(
        ["xargs", "-P", "8", "-I{}", "sh", "-c", f"{trace} {program}"],
        input=numbers.encode(),
        cwd=tmp_path,
        check=False,
        capture_output=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    catalogue = history.catalogue()
    assert catalogue.count(Query()) == 40
    for number in range(40):
        record = history.read(catalogue.resolve(f"run{number}"))
        assert [file["path"] for file in record["outputs"]] == [f"{tmp_path}/out{number}"]
        assert [file["path"] for file in record["inputs"]] == [f"{tmp_path}/in{number}"]
        assert record["stdout"] is not None
        assert record["stdout"]["text"] == f"said {number}\n"
        assert [made.run for made in catalogue.blame(record["outputs"][0]["sha256"] or "")] == [record["id"]]


def test_annotations_at_the_same_time_are_all_kept(history: FolderHistory) -> None:
    """Ten processes that annotate one run wait for each other; none overwrites what another one said."""
    from synthetic_history import make_synthetic

    record = make_synthetic(1)
    history.add(record)
    history.catalogue().close()
    command = [sys.executable, "-m", "rtrace", "annotate", "last", "-q", "-t"]
    workers = [subprocess.Popen([*command, f"tag{number}"]) for number in range(10)]
    assert [worker.wait() for worker in workers] == [0] * 10
    assert {f"tag{number}" for number in range(10)} < set(history.read(record["id"])["tags"])
