"""What a comparison of a replay with the original says of exit statuses, streams and results, whatever these are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_making import make_run, wrote
from rtrace.bundle.entry import FileType, Result
from rtrace.manifest.model import Output
from rtrace.replay.protocol import Outcome, Snapshot
from rtrace.replay.streams import Collected
from rtrace.verify.compare import (
    NO_DIGEST,
    NOT_READ,
    NOT_RECORDED,
    compare,
    compare_result,
    compare_status,
    compare_stream,
    compare_streams,
    describe_type,
)
from rtrace.verify.verdicts import Line

DIGESTS = st.sampled_from(["a" * 64, "b" * 64])
FILES = st.builds(
    Result,
    st.sampled_from(["run1", "run2"]),
    st.just(b"/out"),
    st.just(FileType.REGULAR),
    st.sampled_from([0o644, 0o600, 0o4644]),
    st.integers(0, 2),
    st.none() | DIGESTS,
)
LINKS = st.builds(
    Result, st.just("run1"), st.just(b"/out"), st.just(FileType.SYMLINK), target=st.sampled_from([b"a", b"b"])
)
FOLDERS = st.builds(Result, st.just("run1"), st.just(b"/out"), st.just(FileType.DIRECTORY), st.just(0o755))
NOTHING = st.builds(Result, st.just("run1"), st.just(b"/out"), st.none())
RESULTS = FILES | LINKS | FOLDERS | NOTHING


@given(RESULTS, RESULTS)
def test_two_results_are_the_same_in_either_order(one: Result, other: Result) -> None:
    """What is the same, and what cannot be told, does not depend on which of the two is the original."""
    there, back = compare_result(one, other).verdict, compare_result(other, one).verdict
    assert (there == "same") == (back == "same")
    assert (there == "unknown") == (back == "unknown")
    assert (there == "missing") == (back == "extra")


@given(RESULTS)
def test_a_result_is_the_same_as_itself(result: Result) -> None:
    """Nothing differs from itself, and a file whose digest nobody took is not said to be the same."""
    line = compare_result(result, result)
    assert line.verdict == ("unknown" if result.type is FileType.REGULAR and result.sha256 is None else "same")
    assert (line.run, line.path, line.scope, line.stream) == (result.run, b"/out", "output", None)


@given(RESULTS, RESULTS)
def test_a_reason_stands_beside_each_verdict_but_these(expected: Result, found: Result) -> None:
    """Whatever is different, extra or unknown has words for a program and words for a person."""
    line = compare_result(expected, found)
    assert bool(line.reasons) == bool(line.detail) == (line.verdict not in {"same", "missing"})
    if line.verdict == "different":
        assert len(line.reasons) == len(line.detail.split("; "))


@given(FILES, FILES)
def test_bits_beyond_permissions_are_not_compared(expected: Result, found: Result) -> None:
    """A set-uid bit, which a replay may not be allowed to set, makes no difference."""
    bare = [replace(result, mode=result.mode & 0o777) for result in (expected, found)]
    assert compare_result(expected, found) == compare_result(bare[0], bare[1])


@pytest.mark.parametrize("bit", range(9))
def test_each_permission_counts(bit: int) -> None:
    """A right of anybody that is there for one and not for the other is a difference."""
    line = compare_result(wrote(b"/out", b"x", mode=1 << bit), wrote(b"/out", b"x", mode=0))
    assert (line.reasons, line.detail) == (("mode",), f"mode 0000, was {1 << bit:04o}")


def test_a_vague_result_cannot_be_told() -> None:
    """Of what the run left unclear nothing is said, unless the replay has nothing there."""
    vague = replace(wrote(b"/out", b"x"), vague=True)
    found = wrote(b"/out", b"longer")
    assert compare_result(vague, found) == Line("unknown", "run1", b"/out", NO_DIGEST, reasons=("no digest",))
    assert compare_result(vague, None).verdict == "missing"


def test_a_file_that_cannot_be_read_is_unknown() -> None:
    """Where the sizes agree and the replay's file cannot be read, its content is not said to be the same."""
    expected = wrote(b"/out", b"content")
    found = replace(expected, sha256=None)
    assert compare_result(expected, found) == Line("unknown", "run1", b"/out", NOT_READ, reasons=("not read",))


@pytest.mark.parametrize("kind", FileType)
def test_kinds_of_files_have_names(kind: FileType) -> None:
    """Every kind is told by an article and a noun."""
    assert describe_type(Result("run1", b"/x", kind)).startswith("a ")


def test_nothing_is_told_as_nothing() -> None:
    """What is not there has no kind."""
    assert describe_type(Result("run1", b"/x", None)) == "nothing"


OUTPUT = Output("pipe", 7, "a" * 64)


@pytest.mark.parametrize(
    "expected, found, line",
    [
        (OUTPUT, Collected(7, "a" * 64), Line("same", "run1", None, "", "stdout")),
        (
            Output("pipe", 7, None),
            Collected(7, "a" * 64),
            Line("unknown", "run1", None, NOT_RECORDED, "stdout", reasons=("not recorded",)),
        ),
        (
            OUTPUT,
            Collected(1, "b" * 64),
            Line("different", "run1", None, "1 byte, was 7", "stdout", reasons=("size",)),
        ),
        (
            Output("terminal", 7, "a" * 64, (24, 80)),
            Collected(9, "b" * 64),
            Line(
                "different",
                "run1",
                None,
                "9 bytes, was 7; the original wrote to a terminal",
                "stdout",
                reasons=("size",),
            ),
        ),
        (
            OUTPUT,
            Collected(7, "b" * 64),
            Line(
                "different",
                "run1",
                None,
                f"same size (7 bytes), different content (SHA-256 {'b' * 64}, was {'a' * 64})",
                "stdout",
                reasons=("content",),
            ),
        ),
    ],
)
def test_a_stream_is_compared(expected: Output, found: Collected, line: Line) -> None:
    """A stream is the same by its digest; of another one sizes are told, or digests where these are equal."""
    assert compare_stream(make_run(), "stdout", expected, found) == line


@pytest.mark.parametrize("stdout", [None, OUTPUT])
@pytest.mark.parametrize("stderr", [None, OUTPUT])
@pytest.mark.parametrize("found", [(), ("stdout",), ("stderr",), ("stdout", "stderr")])
def test_streams_are_compared_where_both_are_known(
    stdout: Output | None, stderr: Output | None, found: tuple[str, ...]
) -> None:
    """A stream that the original did not record, or that the replay did not have, has no line."""
    run = make_run(stdout=stdout, stderr=stderr)
    recorded = {"stdout": stdout, "stderr": stderr}
    lines = list(compare_streams(run, {name: Collected(7, "a" * 64) for name in found}))
    assert [line.stream for line in lines] == [name for name in found if recorded[name] is not None]
    assert {line.verdict for line in lines} <= {"same"}


@pytest.mark.parametrize(
    "notes, detail",
    [((), "ended by --timeout"), (("it took too long",), "it took too long"), (("first", "second"), "first")],
)
def test_a_replay_that_a_limit_ended_is_unknown(notes: tuple[str, ...], detail: str) -> None:
    """Whatever its status is: the first note tells of the limit, and its option does where there is no note."""
    line = compare_status(make_run(exit_code=0), Outcome("run1", 0, None, "timeout", notes))
    assert line == Line("unknown", "run1", None, detail, reasons=("limit",))


@given(st.integers(0, 127), st.integers(0, 127))  # those above may stand for signals
def test_exit_statuses_that_are_equal_are_the_same(code: int, replayed: int) -> None:
    """A status is the same or different; both are told where they differ."""
    line = compare_status(make_run(exit_code=code), Outcome("run1", replayed, None))
    wanted = ("same", "", ()) if code == replayed else ("different", f"{replayed}, was {code}", ("exit status",))
    assert (line.verdict, line.detail, line.reasons) == wanted


def test_the_exit_status_comes_first_and_each_result_after_it() -> None:
    """The status has a line, and then each result in their order, but for what a replay provides itself."""
    expected = [wrote(b"/b", b"1"), wrote(b"/a", b"2"), wrote(b"/proc/x", b"3")]
    snapshot = Snapshot({b"/a": wrote(b"/a", b"2", run="")}, ())
    lines = list(compare(make_run(), Outcome("run1", 0, None), expected, snapshot))
    assert [(line.verdict, line.path) for line in lines] == [("same", None), ("missing", b"/b"), ("same", b"/a")]
