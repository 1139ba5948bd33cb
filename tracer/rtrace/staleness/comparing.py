"""One state of a path compared with what is there now: sizes and times first, contents only where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.staleness.looking import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.staleness.looking import Machine
    from rtrace.staleness.model import Kind, State


def compare(
    machine: Machine, path: bytes, now: State, then: State, find_digest: Callable[[], str | None] | None
) -> Kind | None:
    """Return how a path differs from what it was; None where it does not.

    ``find_digest`` gives the SHA-256 that its content had, as far as that is known; without it only its type counts,
    and where a symlink leads. A file of the same size and modification time is the same, unless its ctime shows that
    something was done with it and its digest is known, and another.
    """
    if UNREADABLE in {now.type, then.type}:
        return None if now.type == then.type else "unreadable"
    if then.type is None or now.type is None:
        return None if then.type == now.type else "gone" if now.type is None else "appeared"
    if now.type != then.type or now.target != then.target:
        return "changed"
    if now.type != "file" or find_digest is None:
        return None
    if now.size != then.size:
        return "changed"
    is_dated_alike = now.mtime_ns == then.mtime_ns
    if is_dated_alike and then.ctime_ns in {None, now.ctime_ns}:
        return None
    digest = find_digest()
    if digest is None:
        return None if is_dated_alike else "touched"
    found = machine.hash(path)
    return None if found == digest else "unreadable" if found is None else "changed"
