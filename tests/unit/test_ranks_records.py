"""One record of a parallel program, from those of its ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.record.changing.joining import join_records
from rtrace.record.empty import empty_record, empty_usage
from rtrace.record.reading import read_record
from rtrace.record.writing import write_record

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, ProcessFact, Record


def make_file(path: str, size: int = 1) -> FileFact:
    """Return a file of which little is known."""
    return {
        "path": path,
        "size": size,
        "sha256": None,
        "md5": None,
        "stamped": [],
        "media_type": None,
        "modified": None,
        "problem": None,
    }


def make_process(number: int, parent: int | None) -> ProcessFact:
    """Return a process that began with its run."""
    return {
        "id": number,
        "parent": parent,
        "pid": 100 + number,
        "program": "/solver",
        "arguments": ["./solver"],
        "started": 0.0,
        "usage": empty_usage(),
        "exit_code": 0,
        "signal": None,
        "rank": None,
        "host": None,
    }


def make_rank(number: int, *, exit_code: int = 0, host: str = "box") -> Record:
    """Return the record of a rank that began as many seconds late, took one second, and wrote a file of its own."""
    record = empty_record()
    record["run_name"] = f"rank{number}"
    record["status"] = "failed" if exit_code else "succeeded"
    record["exit_code"] = exit_code
    record["started"] = f"2026-01-01T00:00:0{number}.000000Z"
    record["finished"] = f"2026-01-01T00:00:0{number + 1}.000000Z"
    record["usage"] = {**empty_usage(), "user": 0.5, "peak_memory": 100 + number, "bytes_read": 10}
    record["arguments"] = ["./solver"]
    record["machine"]["hostname"] = host
    record["environment"] = {"HOME": "/home/me", "PMI_RANK": str(number)}
    record["inputs"] = [make_file("/data"), make_file("/shared")]
    record["outputs"] = [make_file(f"/out.{number}")]
    record["processes"] = [make_process(1, None), make_process(2, 1)]
    record["ranks"] = [{"rank": str(number), "host": host}]
    return record


def test_sums_peaks_and_spans() -> None:
    """Times and bytes add up, of peaks the highest counts, and the whole lasts from the first start to the last end."""
    joined = join_records([make_rank(0), make_rank(1), make_rank(2)], "/work/.rtrace")
    assert joined["usage"]["user"] == 1.5
    assert joined["usage"]["bytes_read"] == 30
    assert joined["usage"]["bytes_written"] is None
    assert joined["usage"]["peak_memory"] == 102
    assert joined["usage"]["wall"] == 3.0
    assert joined["trace"] == "/work/.rtrace"


def test_one_rank_that_fails_is_how_the_whole_ends() -> None:
    """The record of all has the status of the first rank that did not succeed, each rank's entry its own."""
    joined = join_records([make_rank(0), make_rank(1, exit_code=3)], "/work/.rtrace")
    assert (joined["status"], joined["exit_code"]) == ("failed", 3)
    assert [rank["exit_code"] for rank in joined["ranks"]] == [0, 3]


def test_files_are_there_once_and_what_a_rank_made_is_no_input() -> None:
    """What all ranks read is one input; what one made and another read is none, and outputs are those of all."""
    ranks = [make_rank(0), make_rank(1)]
    ranks[1]["inputs"].append(make_file("/out.0"))
    joined = join_records(ranks, "/work/.rtrace")
    assert [one["path"] for one in joined["inputs"]] == ["/data", "/shared"]
    assert [one["path"] for one in joined["outputs"]] == ["/out.0", "/out.1"]


def test_processes_are_numbered_anew() -> None:
    """No two processes have one number, parents are still parents, and times count from the first start."""
    joined = join_records([make_rank(0), make_rank(1)], "/work/.rtrace")
    told = [(process["id"], process["parent"], process["started"]) for process in joined["processes"]]
    assert told == [(1, None, 0.0), (2, 1, 0.0), (3, None, 1.0), (4, 3, 1.0)]


def test_ranks_say_what_differs_from_the_first() -> None:
    """A rank's entry has the variables that are its own, and its machine where that is another one."""
    joined = join_records([make_rank(0), make_rank(1), make_rank(2, host="other")], "/work/.rtrace")
    first, second, third = joined["ranks"]
    assert "environment" not in first
    assert second["environment"] == {"PMI_RANK": "1"}
    assert "machine" not in second
    assert third["machine"] == make_rank(2, host="other")["machine"]


def test_the_record_of_many_ranks_is_a_record() -> None:
    """What was joined is written and read like any other record, under an identifier of its own."""
    ranks = [make_rank(number % 8) for number in range(300)]
    joined = join_records(ranks, "/work/.rtrace")
    assert read_record(write_record(joined), "joined") == joined
    assert joined["id"] not in {rank["id"] for rank in ranks}
    assert len(joined["processes"]) <= 1000
