"""What was another one in a replay, as the options of its command: without secrets, and without values of variables."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from rtrace.path_text import to_text
from rtrace.sweep.asked import write_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.replay.changing import Changes

_VALUE = b"=*"
"""Stands for a value, which is not kept: it may be a password."""


def list_options(changes: Changes, inputs: Iterable[tuple[str, Path | None]]) -> tuple[str, ...]:
    """Return the options that made a replay another run than the recorded one."""
    options: list[str] = []
    for name, file in inputs:
        options += ("-i", to_text(os.fsencode(f"{name}={file or '-'}")))
    if changes.arguments is not None:
        from rtrace.record.taking.secrets.redacting import RecordRedactor

        arguments = RecordRedactor().arguments(b"", (b"", *changes.arguments))[1:]
        options += ("--cmdline", shlex.join(map(to_text, arguments)))
    for word in changes.words:
        from rtrace.record.taking.secrets.redacting import RecordRedactor

        kept = to_text(RecordRedactor().arguments(b"", (b"", word.before, word.value))[-1])
        options += ("--sweep", f"arg:{word.run}:{word.place}={write_value(kept)}")
    for name_of_variable, value in (*changes.passed, *changes.variables):
        options += ("--env", to_text(name_of_variable + (b"" if value is None else _VALUE)))
    return tuple(options)
