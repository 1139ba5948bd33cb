"""The check of an anonymous bundle before it gets its name: no name of the user or the host may be in it."""

from __future__ import annotations

import tarfile
from dataclasses import fields, is_dataclass
from typing import IO, TYPE_CHECKING

from rtrace.bundle import members
from rtrace.bundle.written.lines import list_written
from rtrace.errors import BundleError
from rtrace.opening import open_bundle
from rtrace.printable import count_more, printable
from rtrace.privacy.anonymous.records import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rtrace.privacy.anonymous.anonymizer import Anonymizer

_PART = 1 << 20
_SHOWN = 10


def check_anonymity(bundle: Path, anonymizer: Anonymizer) -> None:
    """Search everything that was written, decompressed. Raises BundleError with the files that hold a name."""
    found: list[str] = []
    with tarfile.open(bundle) as tar:
        for name in (members.MANIFEST, members.TRACE):
            content = tar.extractfile(name)
            if content is not None and anonymizer.names.occur_in(_read(content)):
                found.append(name)
    with open_bundle(bundle) as opened:
        for sha256 in list_written(opened.manifest.runs, opened.results):
            written = opened.find_written(sha256)
            if written is None or written.offset is None:
                continue
            if anonymizer.names.occur_in(opened.read_written(written)):
                found.append(f"what a run wrote ({sha256})")
        if any(anonymizer.names.occur_in(iter([read_text(record)])) for record in opened.read_records()):
            found.append(members.RECORDS)
        ones = [(entry.path, b"\n".join(_yield_texts(entry))) for entry in opened.entries]
        ones += [(result.path, b"\n".join(_yield_texts(result))) for result in opened.results]
        found += [printable(path) for path, text in ones if anonymizer.names.occur_in(iter([text]))]
        for entry, parts in opened.stream_data():
            path = anonymizer.find_names(entry.path, parts)
            if path is not None:
                found.append(printable(path))
    if found:
        shown = ", ".join(found[:_SHOWN])
        raise BundleError(
            f"not anonymous: a name of the user or host is still in {shown}{count_more(len(found) - _SHOWN, 'file')}; "
            "leave such files out with --exclude, or allow them with --anonymous-except; no bundle was written"
        )


def _yield_texts(value: object) -> Iterator[bytes]:
    """Yield every string and byte string of an entry or a result."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogateescape")
    elif isinstance(value, tuple):
        for item in value:
            yield from _yield_texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _yield_texts(getattr(value, field.name))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part
