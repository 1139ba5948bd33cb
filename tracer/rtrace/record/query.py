"""What is asked of a catalogue, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtrace.record.document import Kind, Status


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs are wanted: those that fit all that is given. Times are in microseconds since 1970.

    ``file`` is an absolute path that a run read or wrote, or a name without a slash of a file in any folder; ``digest``
    is the SHA-256 of such a file. ``parameters`` are names with their values, as text. Of ``text`` every word has to
    be somewhere in what was said, run, given, read, written or printed; words in double quotes have to stand together.
    """

    tag: str | None = None
    project: str | None = None
    since: int | None = None
    until: int | None = None
    status: Status | None = None
    kind: Kind | None = None
    parent: str | None = None
    file: bytes | None = None
    digest: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    text: str = ""
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of a run; `started` is in microseconds since 1970."""

    id: str
    kind: str
    status: str
    label: str | None = None
    parent: str | None = None
    started: int | None = None
    wall: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    project: str | None = None
    reason: str | None = None
    outcome: str | None = None
    user: str | None = None
    host: str | None = None
    main: str | None = None
    workingdir: str | None = None
    verdict: str | None = None
    inputs: int = 0
    outputs: int = 0
    tags: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Made:
    """A file that a run wrote."""

    run: str
    path: bytes
