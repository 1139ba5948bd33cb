"""What a file declares, what a run used, and what of the one does not fit the other, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

Ecosystem: TypeAlias = Literal["python", "conda", "R", "npm", "dpkg", "rpm", "apk", "base"]
"""Whose names these are; ``base`` is the system itself, as an image of Docker has it."""

MAIN, LOCK, DEV, BUILD, CONSTRAINT = "main", "lock", "dev", "build", "constraint"
"""Groups: what a run needs; what a lock file fixes; what developing and building need; which version what is needed has
to be. An extra's is ``extra NAME``."""

Key: TypeAlias = "tuple[Ecosystem, str]"
"""A package by ecosystem and normalised name."""


class Declared(NamedTuple):
    """One package that a file declares.

    ``name`` is normalised, ``constraint`` is written as the file's own language has it, empty for any version.
    ``optional`` are those that a run may do without (groups, extras), and what does not apply on this machine.
    """

    ecosystem: Ecosystem
    name: str
    constraint: str
    source: str
    group: str = MAIN

    @property
    def key(self) -> Key:
        """The package that it means."""
        return self.ecosystem, self.name

    @property
    def is_needed(self) -> bool:
        """Whether a run that does not use it is worth a word."""
        return self.group == MAIN


class Used(NamedTuple):
    """A package that a run used. ``manager`` is who installed it, ``shown`` the name it has there.

    ``build`` is what conda calls so; ``origin`` where it came from, as its manager says.
    """

    ecosystem: Ecosystem
    name: str
    version: str
    manager: str
    shown: str
    origin: str = ""
    build: str = ""

    @property
    def key(self) -> Key:
        """Which package it is."""
        return self.ecosystem, self.name


@dataclass
class Declarations:
    """All that a project's files declare. ``requires`` says what packages need, as far as lock files do."""

    items: list[Declared] = field(default_factory=list)
    requires: dict[Key, set[Key]] = field(default_factory=dict)
    hashes: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """SHA-256 of the archives of Python distributions by name and version."""
    archives: dict[tuple[str, str], dict[str, Archive]] = field(default_factory=dict)
    """Archives whose address a lock file says, by name and version, and by file name."""
    files: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def require(self, key: Key, needed: Key) -> None:
        """Note that one package needs another one."""
        self.requires.setdefault(key, set()).add(needed)


class Archive(NamedTuple):
    """Where an archive of a Python distribution is, and what it holds."""

    url: str
    sha256: str
    size: int | None = None


class Folder(Protocol):
    """Where declarations are read from: a folder of this machine, or that of a project in a bundle."""

    def list_names(self) -> list[str]:
        """Return the names of the files in it, those of folders in it with these, sorted."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None where there is none, or one that is too large."""


Kind: TypeAlias = Literal["undeclared", "unused", "version"]


class Finding(NamedTuple):
    """Something declared and used that do not fit; ``declared`` and ``used`` are versions, as far as there are any."""

    kind: Kind
    ecosystem: Ecosystem
    name: str
    declared: str | None
    used: str | None
    source: str | None
    group: str | None = None


class Drift(NamedTuple):
    """What was found; ``compared`` is how many packages used were looked up."""

    findings: tuple[Finding, ...]
    compared: int
    files: tuple[str, ...]
    problems: tuple[str, ...]


Requires: TypeAlias = Mapping["Key", "set[Key]"]
