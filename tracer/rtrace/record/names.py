"""The labels and tags that a person may give to a run, so that commands can be given them later."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rtrace.errors import UsageError

LAST = re.compile(r"last(?:~(\d{1,9}))?")
"""What names a run by its place from the end."""


def check_label(label: str | None) -> None:
    """Raise UsageError for a label by which no command would find its run: what it means already is another one."""
    if label is not None and LAST.fullmatch(label):
        raise UsageError(f"a run cannot be labelled {label}, which names a run by its place; write another label")


def check_tags(tags: Iterable[str]) -> None:
    """Raise UsageError for a tag without a word."""
    if any(not tag.strip() for tag in tags):
        raise UsageError("a tag must not be empty; write a word")
