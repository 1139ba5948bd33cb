"""Verification: a replay compared with the original run, a line for each thing that was compared."""

from dataclasses import replace

import pytest

from bundle_making import digest, make_run, wrote
from rtrace.answers.verifying import answer_verify
from rtrace.bundle.entry import FileType, Result
from rtrace.replay.protocol import Outcome, Snapshot
from rtrace.verify.compare import compare, compare_result, compare_status
from rtrace.verify.verdicts import VERDICTS, Line, Replayed, Report

FILE = wrote(b"/out", b"content")


@pytest.mark.parametrize(
    "expected, found, line",
    [
        (FILE, FILE, Line("same", "run1", b"/out")),
        (FILE, replace(FILE, run="", mode=0o4644), Line("same", "run1", b"/out")),
        (FILE, None, Line("missing", "run1", b"/out")),
        (FILE, Result("", b"/out", None), Line("missing", "run1", b"/out")),
        (FILE, replace(FILE, mode=0o600), Line("different", "run1", b"/out", "mode 0600, was 0644", reasons=("mode",))),
        (
            FILE,
            replace(FILE, size=9, mode=0),
            Line("different", "run1", b"/out", "9 bytes, was 7; mode 0000, was 0644", reasons=("size", "mode")),
        ),
        (
            FILE,
            Result("", b"/out", FileType.FIFO),
            Line("different", "run1", b"/out", "a FIFO, was a file", reasons=("type",)),
        ),
        (
            replace(FILE, sha256=None),
            FILE,
            Line("unknown", "run1", b"/out", "the bundle does not hold the original's digest", reasons=("no digest",)),
        ),
        (
            replace(FILE, sha256=None, size=1),
            FILE,
            Line("different", "run1", b"/out", "7 bytes, was 1", reasons=("size",)),
        ),
        (Result("run1", b"/out", None), Result("", b"/out", None), Line("same", "run1", b"/out")),
        (
            Result("run1", b"/out", None),
            FILE,
            Line("extra", "run1", b"/out", "it is still there; the original run removed it", reasons=("still there",)),
        ),
        (
            Result("run1", b"/out", FileType.SYMLINK, target=b"a\xff"),
            Result("", b"/out", FileType.SYMLINK, target=b"b\n"),
            Line("different", "run1", b"/out", "leads to b\\n, was a\\xff", reasons=("target",)),
        ),
        (
            Result("run1", b"/out", FileType.DIRECTORY, 0o755),
            Result("", b"/out", FileType.DIRECTORY, 0o700),
            Line("same", "run1", b"/out"),
        ),
    ],
)
def test_results_are_compared(expected: Result, found: Result | None, line: Line) -> None:
    """Type, permissions, size, content and symlink target are compared; what is not known is not the same."""
    assert compare_result(expected, found) == line


def test_other_content_of_the_same_size_differs() -> None:
    """One changed byte is a difference, told with both digests."""
    line = compare_result(FILE, wrote(b"/out", b"Content"))
    assert (line.verdict, digest(b"content") in line.detail, digest(b"Content") in line.detail) == (
        "different",
        True,
        True,
    )


@pytest.mark.parametrize(
    "code, number, outcome, line",
    [
        (3, None, Outcome("run1", 3, None), Line("same", "run1", None)),
        (0, None, Outcome("run1", 1, None), Line("different", "run1", None, "1, was 0", reasons=("exit status",))),
        (None, 9, Outcome("run1", None, 9), Line("same", "run1", None)),
        (None, 9, Outcome("run1", 137, None), Line("same", "run1", None)),
        (
            None,
            None,
            Outcome("run1", 0, None),
            Line("unknown", "run1", None, "0; the end of the original run was not seen", reasons=("end not seen",)),
        ),
    ],
)
def test_exit_statuses_are_compared(code: int | None, number: int | None, outcome: Outcome, line: Line) -> None:
    """Exit statuses are compared as a shell shows them; an end that nobody saw is not the same as anything."""
    assert compare_status(make_run(exit_code=code, signal=number), outcome) == line


def test_what_a_replay_provides_is_not_compared() -> None:
    """Results below /dev, /proc and /sys, semaphores among them, have no line: a replay has its own."""
    results = [
        wrote(path, b"") for path in (b"/dev/pts/x", b"/dev/shm/sem.x", b"/proc/self/comm", b"/sys/x", b"/device")
    ]
    lines = list(compare(make_run(), Outcome("run1", 0, None), results, Snapshot()))
    assert [line.path for line in lines] == [None, b"/device"]


def test_report_sums_up() -> None:
    """A report is the same only when every line is; it can be read by people and by programs."""
    lines = (
        Line("same", "run1", None),
        Line("missing", "run1", b"/a\xff\n"),
        Line("different", "run1", b"/b", "9 bytes, was 7", reasons=("size",)),
    )
    report = Report(lines, replays=(Replayed("run1", 0, 1.5, None, 1 << 20, is_most=True),))
    assert (report.same, report.summary) == (False, "2 of 3 results differ (1 different, 1 missing)")
    assert [line.text for line in lines] == ["exit status of run1", "/a\\xff\\n", "/b: 9 bytes, was 7"]
    told: dict[str, object] = {"scope": "output", "run": "run1", "stream": None, "comparison": None, "causes": []}
    told_to_programs: object = answer_verify(report, "chroot")
    assert told_to_programs == {
        "unpacker": "chroot",
        "verdict": "different",
        "summary": report.summary,
        "counts": {**dict.fromkeys(VERDICTS, 0), "same": 1, "missing": 1, "different": 1},
        "replays": [
            {
                "run": "run1",
                "exit_status": 0,
                "limit": None,
                "seconds": 1.5,
                "memory": 1 << 20,
                "memory_is_most": True,
            }
        ],
        "limit": None,
        "seconds": 0.0,
        "incomplete": [],
        "claims": [],
        "notes": [],
        "lines": [
            {"verdict": "same", **told, "path": None, "reasons": [], "detail": ""},
            {"verdict": "missing", **told, "path": "/a\\xff\\n", "reasons": [], "detail": ""},
            {"verdict": "different", **told, "path": "/b", "reasons": ["size"], "detail": "9 bytes, was 7"},
        ],
    }
    assert Report(lines[:1]).same
    assert Report((Line("unknown", "run1", b"/x"),)).same is False
