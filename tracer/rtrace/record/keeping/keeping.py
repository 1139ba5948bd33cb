"""The outputs of a run put into the data store that a person configured."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from rtrace.errors import KeepingError
from rtrace.path_text import to_bytes
from rtrace.record.keeping.content import ChangedError, Content, name_content
from rtrace.record.keeping.folders import FolderPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtrace.record.document import KeptFile, Record
    from rtrace.record.keeping.configuration import Store

T = TypeVar("T")


class Place(Protocol):
    """Something that contents are kept in, under names."""

    def find(self, name: str) -> str | None:
        """Return the address of what is kept by a name; None where there is nothing."""
        ...

    def put(self, content: Content) -> str:
        """Keep a content; return its address. Raises KeepingError and ChangedError."""
        ...


class Kept(NamedTuple):
    """What was kept, and in sentences what can never be (``lost``), and what a later attempt may do (``problems``)."""

    files: list[KeptFile]
    lost: list[str]
    problems: list[str]


def keep_outputs(record: Record, store: Store, spare: Path) -> Kept:
    """Put the outputs of a run into each place of a store; a place that fails does not keep the others from it.

    An archive is made in the first folder, else in the folder ``spare``, before it goes anywhere.
    """
    contents = {
        fact["sha256"]: name_content(fact["path"], fact["sha256"])
        for fact in record["outputs"]
        if fact["sha256"] is not None
    }
    paths = [(fact["path"], fact["sha256"]) for fact in record["outputs"] if fact["sha256"] is not None]
    kept = Kept(
        [],
        [f"{fact['path']} has no digest ({fact['problem']})" for fact in record["outputs"] if fact["sha256"] is None],
        [],
    )
    with ExitStack() as stack:
        places = _open_places(store, stack, kept)
        if not contents or not places:
            return kept
        if store.archive:
            wanted = [Content(path, "", sha256) for path, sha256 in paths]
            _keep_archive(f"{record['id']}.tar.zst", wanted, places, (*map(Path, store.folders), spare), kept)
        else:
            for place in places:
                addresses = _keep_each(place, list(contents.values()), kept)
                kept.files.extend(
                    {"path": path, "sha256": sha256, "url": addresses[sha256]}
                    for path, sha256 in paths
                    if sha256 in addresses
                )
    return kept._replace(lost=list(dict.fromkeys(kept.lost)))


def _open_places(store: Store, stack: ExitStack, kept: Kept) -> list[Place]:
    places: list[Place] = [FolderPlace(folder) for folder in store.folders]
    if store.webdav is not None:
        from rtrace.record.keeping.webdav import DavPlace

        try:
            server = DavPlace(store.webdav)
        except KeepingError as error:
            kept.problems.append(str(error))
        else:
            stack.callback(server.close)
            places.append(server)
    return places


def _keep_each(place: Place, contents: Sequence[Content], kept: Kept) -> dict[str, str]:
    """Return where a place has each content, by digest; the first failure of the place ends it."""
    addresses = {}
    for content in contents:
        try:
            addresses[content.sha256] = place.put(content)
        except ChangedError as error:
            kept.lost.append(str(error))
        except KeepingError as error:
            kept.problems.append(str(error))
            break
    return addresses


def _keep_archive(name: str, contents: list[Content], places: list[Place], folders: Sequence[Path], kept: Kept) -> None:
    """Make an archive of the outputs, in the first of some folders that takes it, and put it where there is none."""
    from rtrace.record.keeping.archives import check_contents, write_archive

    known = {number: _try(kept, place.find, name) for number, place in enumerate(places)}
    missing = [number for number, address in known.items() if address is None]
    whole, lost = check_contents(contents) if missing else (contents, [])
    kept.lost.extend(lost)
    if missing and whole:
        for folder in folders:
            incomplete = folder / f".{name}.incomplete"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                archive = Content(str(incomplete), name, write_archive(incomplete, whole))
                for number in missing:
                    known[number] = _try(kept, places[number].put, archive)
                break
            except OSError as error:
                kept.problems.append(f"{folder} cannot be written ({error.strerror})")
            except ChangedError as error:
                kept.problems.append(str(error))
                break
            finally:
                with suppress(OSError):  # ENOTDIR and ENOENT: there is nothing
                    incomplete.unlink()
    for address in filter(None, known.values()):
        kept.files.extend(
            {"path": content.path, "sha256": content.sha256, "url": f"{address}#{quote(to_bytes(content.path))}"}
            for content in whole
        )


def _try(kept: Kept, ask: Callable[[T], str | None], what: T) -> str | None:
    """Return what a place answers; None where it fails, which is noted."""
    try:
        return ask(what)
    except (ChangedError, KeepingError) as error:
        kept.problems.append(str(error))
        return None
