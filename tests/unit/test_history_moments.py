"""Moments as a person writes them: of a day its beginning, or its end where that is asked for."""

from datetime import datetime, timedelta, timezone

import pytest

from rtrace import runs
from rtrace.errors import UsageError
from rtrace.operations.history.moments import read_moment

DAY = timedelta(days=1) // timedelta(microseconds=1)
NOON = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("text", ["2026-11-28", "today", "yesterday"])
def test_the_last_moment_of_a_day_is_its_end(text: str) -> None:
    """What is asked for until a day counts that day."""
    begin, end = read_moment(text, NOON), read_moment(text, NOON, last=True)
    assert DAY - DAY // 20 <= end - begin <= DAY + DAY // 20  # where the clock changes, a day is longer or shorter


@pytest.mark.parametrize("text", ["2026-11-28 14:00", "2026-11-28T14:00:00Z", "3 days ago", "2h"])
def test_a_moment_of_a_day_stays_the_same(text: str) -> None:
    """Only of a whole day there is an end."""
    assert read_moment(text, NOON) == read_moment(text, NOON, last=True)


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "99999999999d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Scripts get the sentence that the command line has."""
    with pytest.raises(UsageError, match="is no moment; write 2026-11-30"):
        runs(since=text)
