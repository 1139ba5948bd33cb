"""Where the content of a file of a run still is: in its place, in the trace, in a bundle, or in a folder of copies."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rtrace.debugging import debug
from rtrace.errors import RtraceError
from rtrace.opening import open_bundle
from rtrace.path_text import to_bytes
from rtrace.printable import printable, shorten
from rtrace.trace.directory import SNAPSHOTS
from rtrace.web.content.proof import Proven, is_regular, prove_file, prove_parts
from rtrace.web.content.traces import find_snapshots, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rtrace.record.document import Record

_IDENTITY = "sha256:"
MOST_PLACES = 20
"""Bundles, and copies, that are looked into for one file: a record can name a million."""
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def find_content(record: Record, fact: Mapping[str, object]) -> Proven | None:
    """Return the content of a file of a record, wherever it is first found with its own digest; None if nowhere."""
    digests = list_digests(fact)
    if not digests:
        return None
    path = to_bytes(replace_lone(str(fact["path"])))
    size = fact.get("size")
    for search in _list_searches(record, path, digests, size if isinstance(size, int) else None):
        try:
            found = search()
        except (RtraceError, OSError, ValueError, sqlite3.Error) as error:  # a place that cannot be read has nothing
            debug(__name__, "%s is not to be had: %s", printable(path), error)
            continue
        if found is not None:
            return found
    return None


def list_digests(fact: Mapping[str, object]) -> frozenset[str]:
    """Return the digests that a file may have: its own, and those with a stamp in it."""
    stamped = fact.get("stamped")
    found = {fact.get("sha256"), *(stamped if isinstance(stamped, list) else ())}
    return frozenset(digest for digest in found if isinstance(digest, str) and digest)


def _list_searches(
    record: Record, path: bytes, digests: frozenset[str], size: int | None
) -> Iterator[Callable[[], Proven | None]]:
    stamped = len(digests) > 1  # and so of another size
    yield lambda: prove_file(path, digests, None if stamped else size, "in its place")
    trace = record["trace"]
    if trace is not None:
        yield lambda: _search_trace(trace, path, digests)
    for bundle in record["bundles"][:MOST_PLACES]:
        yield lambda bundle=bundle: _search_bundle(bundle["path"], bundle["identity"], path, digests)  # type: ignore[misc]
    copies = [kept for kept in record["kept"] if kept["sha256"] in digests]
    for kept in copies[:MOST_PLACES]:
        yield lambda url=kept["url"]: _search_copy(url, digests)  # type: ignore[misc]


def _search_trace(trace: str, path: bytes, digests: frozenset[str]) -> Proven | None:
    """Look at the copies that tracing took of files before the run changed them."""
    with open_trace(replace_lone(trace)) as connection:
        names = find_snapshots(connection, path)
    for name in names:
        found = prove_file(to_bytes(os.path.join(replace_lone(trace), SNAPSHOTS, name)), digests, None, "in the trace")
        if found is not None:
            return found
    return None


def _search_bundle(bundle: str, identity: str | None, path: bytes, digests: frozenset[str]) -> Proven | None:
    place = replace_lone(bundle)
    if not is_regular(place):
        return None
    with open_bundle(Path(place)) as opened:
        if identity is not None and identity.removeprefix(_IDENTITY) != opened.identity:
            return None
        entry = opened.find(path)
        if entry is None or entry.sha256 not in digests:
            return None
        return prove_parts(opened.read_file(path), digests, f"in the bundle {shorten(bundle)}")


def _search_copy(url: str, digests: frozenset[str]) -> Proven | None:
    """Look into a folder of copies; a server is not asked, since no page of ours makes a request to elsewhere."""
    parts = urlsplit(replace_lone(url))
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        return None
    return prove_file(to_bytes(unquote(parts.path) if parts.scheme else url), digests, None, "among the copies")


def replace_lone(text: str) -> str:
    """Return a text that can be the name of a file: surrogates that stand for no byte are in none."""
    return _LONE.sub("\ufffd", text)
