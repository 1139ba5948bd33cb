"""What is to be pinned: the packages that a run used, by ecosystem, and what is known of their archives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.declared.names import INSTALLERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.declared.model import Archive, Ecosystem, Used

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:!-]*")
_ADDRESS = re.compile(r"[A-Za-z][!-~]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Pins(NamedTuple):
    """The packages to pin, by ecosystem and sorted; a system's own Python distributions are the system's.

    ``hashes`` and ``archives`` are those of Python distributions, by name and version. ``maker`` says who pins.
    """

    packages: Mapping[Ecosystem, tuple[Used, ...]]
    hashes: Mapping[tuple[str, str], frozenset[str]]
    archives: Mapping[tuple[str, str], Mapping[str, Archive]]
    maker: str

    def of(self, ecosystem: Ecosystem) -> tuple[Used, ...]:
        """Return the packages of an ecosystem."""
        return self.packages.get(ecosystem, ())


class Written(NamedTuple):
    """The text of a file, and what it lacks, a sentence each."""

    text: str
    losses: tuple[str, ...] = ()


def split_origin(origin: str) -> tuple[str, str]:
    """Return where a Python distribution came from, and the commit, which is empty where it was no repository."""
    address, _, commit = origin.rpartition("@")
    return (address, commit) if _COMMIT.fullmatch(commit) else (origin, "")


def collect_pins(
    used: Iterable[Used],
    hashes: Mapping[tuple[str, str], Iterable[str]],
    archives: Mapping[tuple[str, str], Mapping[str, Archive]],
    maker: str,
) -> Pins:
    """Return what is to be pinned of the packages that a run used."""
    packages: dict[Ecosystem, set[Used]] = {}
    for one in used:
        if (
            one.ecosystem != one.manager
            or not _PLAIN.fullmatch(one.shown)
            or not _PLAIN.fullmatch(one.version + one.build)
        ):
            continue  # what another one installed is pinned as its; a stranger's bundle may say anything
        if one.ecosystem == "conda" or one.name not in INSTALLERS:
            origin = one.origin if _ADDRESS.fullmatch(one.origin) else ""
            packages.setdefault(one.ecosystem, set()).add(one._replace(origin=origin))
    return Pins(
        {ecosystem: tuple(sorted(several)) for ecosystem, several in packages.items()},
        {key: frozenset(several) for key, several in hashes.items()},
        archives,
        maker,
    )
