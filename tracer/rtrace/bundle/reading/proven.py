"""Entries that were proven harmless: once for a process that opens a bundle several times, and not once for each."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakValueDictionary

from rtrace.bundle.entry import Entry


class ProvenEntries(tuple[Entry, ...]):
    """Entries in the order of their paths, all of which `validated_entries` has seen: nobody needs to look again."""

    __slots__ = ()


@dataclass(frozen=True)
class Proof:
    """What was proven of a bundle: its entries, where its data end by them, and the bytes of holes in its files."""

    entries: ProvenEntries
    end: int
    holes: int


_KNOWN: WeakValueDictionary[tuple[type, str], Proof] = WeakValueDictionary()


def note_proof(kind: type, identity: str, entries: ProvenEntries, end: int, holes: int) -> Proof:
    """Keep what was proven of the bundle of an identity, for as long as somebody holds what is returned.

    The identity is the digest of the manifest, which has the digest of the index: the same one means the same entries,
    whatever has become of the file meanwhile.
    """
    proof = Proof(entries, end, holes)
    _KNOWN[kind, identity] = proof
    return proof


def recall_proof(kind: type, identity: str) -> Proof | None:
    """Return what is known of the bundle of an identity; None where nobody holds a proof."""
    return _KNOWN.get((kind, identity))
