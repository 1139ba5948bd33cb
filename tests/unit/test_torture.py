"""A random tree of processes, threads and signals is in the trace as it was: fixtures/programs/torture.c."""

import pytest

from benchmark.torture import Ending, Log, Logged, Traced, find_differences, parse_log

LOG = Log({10: Logged("r", Ending(3)), 11: Logged("r.0", Ending(signal=9))}, frozenset({12}), ())

ROWS = (
    Traced(1, None, 10, is_thread=False, ended=5, ending=Ending(3)),
    Traced(2, 1, 11, is_thread=False, ended=4, ending=Ending(signal=9)),
    Traced(3, 1, 12, is_thread=True, ended=4, ending=Ending(0)),
)


def test_log_is_read() -> None:
    """Processes, threads and complaints are told apart, and a line that is none of them is refused."""
    text = "P 10 r exit 3\nP 11 r.0 signal 9\nT 12 10 r\n! 10 r no such luck\n"
    assert parse_log(text) == Log(LOG.processes, LOG.threads, ("10 r no such luck",))
    with pytest.raises(ValueError, match="no line"):
        parse_log("Q 10\n")
    with pytest.raises(ValueError, match="twice"):
        parse_log("P 10 r exit 3\nP 10 r exit 3\n")


def test_same_tree_has_no_differences() -> None:
    """A trace that holds what was logged passes."""
    assert find_differences(LOG, ROWS) == []


@pytest.mark.parametrize(
    "rows,difference",
    [
        (ROWS[:1] + ROWS[2:], "process 11 (r.0) is not in the trace"),
        (ROWS[:2], "thread 12 is not in the trace"),
        (
            (*ROWS, Traced(4, 1, 13, is_thread=False, ended=5, ending=Ending(0))),
            "process 13 is in the trace, and was never logged",
        ),
        ((*ROWS, ROWS[0]), "process 10 is in the trace twice"),
        (
            (ROWS[0], Traced(2, 1, 11, is_thread=False, ended=None, ending=Ending()), ROWS[2]),
            "process 11 (r.0) has no end in the trace",
        ),
        (
            (ROWS[0], Traced(2, 1, 11, is_thread=False, ended=4, ending=Ending(9)), ROWS[2]),
            f"process 11 (r.0) ended as {Ending(signal=9)}, traced as {Ending(9)}",
        ),
        (
            (ROWS[0], Traced(2, None, 11, is_thread=False, ended=4, ending=Ending(signal=9)), ROWS[2]),
            "process 11 (r.0) is traced as a child of None",
        ),
    ],
)
def test_differences_are_named(rows: tuple[Traced, ...], difference: str) -> None:
    """A process that is lost, invented, doubled, endless, or has a wrong end or parent is said, and nothing else."""
    assert find_differences(LOG, rows) == [difference]
