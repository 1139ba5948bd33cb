"""Content that a bundle leaves elsewhere: from a folder or from its URL, and believed by its digest alone."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from stat import S_ISREG
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import ElsewhereError
from rtrace.printable import format_size, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.elsewhere.http import Fetcher

_COPY = 1 << 20
_FILE = "file:///"
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where content may come from that is not in a bundle.

    ``folders`` hold files by their digest, their name, or their full path, or where a file: URL of the bundle says;
    ``fetch`` allows to ask the other URLs, which its author chose. A replay asks neither: only unpacking does.
    """

    folders: tuple[Path, ...] = ()
    fetch: bool = False


NO_SOURCES = Sources()


@dataclass(frozen=True, slots=True)
class ContentPlace:
    """Where the content of an entry will come from: a local file, or a URL and what fetches it."""

    entry: Entry
    file: bytes | None
    url: str | None
    fetcher: Fetcher | None = None


def find_places(bundle: OpenBundle, entries: Iterable[Entry], sources: Sources) -> dict[bytes, ContentPlace]:
    """Find a place for every one of the entries whose content is elsewhere, by path; nothing is read yet.

    Raises ElsewhereError, which names what has no place.
    """
    urls = {one.path: one.url for one in bundle.manifest.elsewhere}
    places = {}
    missing = []
    for entry in entries:
        if entry.elsewhere:
            url = urls.get(entry.path)
            file = next((path for path in _list_candidates(entry, url, sources) if _fits(path, entry.size)), None)
            if file is None and (url is None or not sources.fetch or _is_local(url)):
                missing.append(entry)
            places[entry.path] = ContentPlace(entry, file, url)
    if missing:
        raise ElsewhereError(_tell_missing(bundle, missing, urls, sources))
    far = [place for place in places.values() if place.file is None]
    if far:
        from rtrace.elsewhere.http import Fetcher  # the network is asked only where a person agreed

        fetcher = Fetcher(filter(None, urls.values()), sum(place.entry.size for place in far))
        places.update((place.entry.path, replace(place, fetcher=fetcher)) for place in far)
    return places


def read_place(place: ContentPlace) -> Iterator[bytes]:
    """Yield the content of an entry from its place, no byte more than its size.

    It is known to be right when the last part has been taken without an error. Raises ElsewhereError.
    """
    entry = place.entry
    if place.file is not None:
        where = printable(place.file)
        parts = _read_file(place.file)
    else:
        where = place.url or ""
        parts = place.fetcher.fetch(where, entry.size) if place.fetcher is not None else iter(())
    debug(__name__, "%s: %d bytes from %s", printable(entry.path), entry.size, where)
    digest = hashlib.sha256()
    left = entry.size
    try:
        for part in parts:
            digest.update(part)
            left -= len(part)
            if left < 0:
                break
            if not left and digest.hexdigest() != entry.sha256:
                break
            yield part
    except (OSError, ElsewhereError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise ElsewhereError(
            f"cannot get {printable(entry.path)} from {where}: {reason}; {_other_ways(entry)}"
        ) from None
    if left or digest.hexdigest() != entry.sha256:
        what = "its content differs"
        if left:
            what = (
                f"it has more than {entry.size} bytes"
                if left < 0
                else f"it has {entry.size - left} bytes of {entry.size}"
            )
        raise ElsewhereError(
            f"{where} is not the {printable(entry.path)} that was packed: {what}; {_other_ways(entry)}"
        )


def complete_data(bundle: OpenBundle, sources: Sources) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Yield every entry with the parts of its content, as the bundle does, and what is elsewhere from there.

    Raises at once, before anything is written: ElsewhereError when something has no place, and BundleError when the
    results, with which a replay will be compared, are not what they have to be.
    """
    bundle.check_results()
    places = find_places(bundle, bundle.iterate_entries(), sources)
    if not places:
        return bundle.stream_data()
    return (
        (entry, read_place(places[entry.path]) if entry.elsewhere else content)
        for entry, content in bundle.stream_data()
    )


def read_content(bundle: OpenBundle, entry: Entry, sources: Sources) -> Iterator[bytes]:
    """Yield the content of one entry, or of the file that it is a further hard link to, wherever it is."""
    holder = bundle.find(entry.link) if entry.link is not None else entry
    if holder is None or not holder.elsewhere:
        return bundle.read_file(entry.path)
    return read_place(find_places(bundle, [holder], sources)[holder.path])


def _is_local(url: str) -> bool:
    return url.startswith(_FILE)


def _list_candidates(entry: Entry, url: str | None, sources: Sources) -> Iterator[bytes]:
    """Yield where a file may be that has the content: its names in the folders, and a file: URL that leads into one."""
    local = _find_local(url) if url is not None and _is_local(url) else None
    for folder in map(os.fsencode, sources.folders):
        if local is not None and os.path.commonpath((local, os.path.realpath(folder))) == os.path.realpath(folder):
            yield local
        yield os.path.join(folder, os.fsencode(entry.sha256 or ""))
        yield os.path.join(folder, entry.path[1:])
        yield os.path.join(folder, os.path.basename(entry.path))


def _find_local(url: str) -> bytes:
    from urllib.parse import unquote_to_bytes  # of use to few

    path = unquote_to_bytes(url[len(_FILE) - 1 :])
    return path if b"\0" in path else os.path.realpath(path)


def _fits(path: bytes, size: int) -> bool:
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in a URL
        return False
    return S_ISREG(state.st_mode) and state.st_size == size


def _read_file(path: bytes) -> Iterator[bytes]:
    with os.fdopen(os.open(path, _FLAGS), "rb", buffering=0) as file:
        while part := file.read(_COPY):
            yield part


def _other_ways(entry: Entry) -> str:
    return f"name a folder that has it with --from (SHA-256 {entry.sha256})"


def _tell_missing(bundle: OpenBundle, missing: list[Entry], urls: dict[bytes, str | None], sources: Sources) -> str:
    """Return the first thing that is missing, how many others are, and what to do."""
    first = missing[0]
    url = urls.get(first.path)
    others = f", and {len(missing) - 1} other files (`rtrace info` names them)" if len(missing) > 1 else ""
    ways = "name a folder that has it with --from"
    if url is not None and _is_local(url):
        ways = f"name the folder that {url} is in with --from"
    elif url is not None and not sources.fetch:
        ways = f"add --fetch to get it from {url}, or {ways}"
    return (
        f"{bundle.path} does not hold the content of {printable(first.path)} ({format_size(first.size)}, "
        f"SHA-256 {first.sha256}){others}: {ways}"
    )
