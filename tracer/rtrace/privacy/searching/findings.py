"""What a search for secrets finds, by place and rule: in arguments, in files, and in what is packed in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rtrace.privacy.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret: the id of the rule that found it, what that means, and its place, as words for a sentence."""

    rule: str
    what: str
    place: str


class InArgument(NamedTuple):
    """A secret in arguments.

    ``number`` is the argument that gives it away, ``holder`` the one that holds it, from ``begin`` to ``end``.
    """

    rule: Rule
    number: int
    holder: int
    begin: int
    end: int


class InFile(NamedTuple):
    """A secret in a file: the line where its match begins, counted from 1, and where it is in the file.

    The line is 0 in a binary file, and where a file is a secret as a whole. ``value`` is the secret, a byte for each of
    its characters.
    """

    rule: Rule
    line: int
    begin: int
    end: int
    value: bytes = b""


class InContainer(NamedTuple):
    """A secret in what is packed in a file: the member, by names with slashes between, and the secret itself."""

    rule: Rule
    member: bytes
    value: bytes


class ContainerFindings(NamedTuple):
    """What was found in a container, and why not all of it was searched; None if all of it was."""

    found: tuple[InContainer, ...]
    unsearched: str | None
