"""What a run did with a path is told apart by the content that it needs."""

from __future__ import annotations

from rtrace.trace.schema import Use
from rtrace.trace.treatment import Treatment, classify, most_needing


def test_content_is_needed_by_what_keeps_some_of_it() -> None:
    """Content goes along of what was read, in part kept, or left behind under some name, not of what went unread."""
    lacking = {treatment for treatment in Treatment if not treatment.needs_content}
    before = {Treatment.REPLACED, Treatment.REMOVED, Treatment.LISTED, Treatment.LOOKED_UP}
    assert lacking == before | {Treatment.MADE, Treatment.TEMPORARY}


def test_what_became_of_a_path_is_guessed_where_nobody_saw_it() -> None:
    """Of a run whose end was not seen, a path that was removed and not made again counts as gone."""
    assert classify("file", [Use.REMOVE], left=None) is Treatment.REMOVED
    assert classify("file", [Use.REMOVE, Use.CREATE | Use.WRITE], left=None) is Treatment.REPLACED
    assert classify("file", [], left=None) is Treatment.LISTED


def test_run_that_needs_most_decides() -> None:
    """Of several runs, the one that needs most of a path's content decides."""
    assert most_needing([Treatment.LISTED, Treatment.READ, Treatment.REPLACED]) is Treatment.READ
    assert most_needing([Treatment.LOOKED_UP, Treatment.REPLACED]) is Treatment.REPLACED


def test_folder_that_was_to_be_renamed_counts_as_renamed() -> None:
    """A folder whose renaming failed is told apart from one that was looked up: a replay has to refuse it as well."""
    assert classify("directory", [Use.LOOKUP], left=None) is Treatment.LOOKED_UP
    assert classify("directory", [Use.LOOKUP | Use.MOVE], left=None) is Treatment.MOVED
