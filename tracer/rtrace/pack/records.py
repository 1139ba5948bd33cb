"""The records of runs on their way into a bundle: without secrets, under the names that the manifest gives the runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple, cast

from rtrace.errors import TraceError
from rtrace.path_text import to_text
from rtrace.privacy.anonymous.records import rewrite_strings
from rtrace.privacy.redacting import redact_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rtrace.manifest.model import Run
    from rtrace.privacy.anonymous.anonymizer import Anonymizer
    from rtrace.privacy.anonymous.records import Json
    from rtrace.privacy.redaction import Judge
    from rtrace.trace.directory import TraceDirectory

_LARGEST = 64 << 20


class FoundRecord(NamedTuple):
    """A record in a trace directory: the name that its run has in the manifest, and what it says."""

    run: str
    content: Json


def read_records(directory: TraceDirectory, names: Mapping[str, str]) -> tuple[FoundRecord, ...]:
    """Return the records of a trace directory; ``names`` are the runs' names in the manifest by those in the trace.

    Raises TraceError for a file that is no record.
    """
    found = []
    for traced, name in names.items():
        path = directory.records / f"{traced}.json"
        content = _read(path)
        if content is not None:
            found.append(FoundRecord(name, content))
    return tuple(found)


def finish_records(
    records: tuple[FoundRecord, ...],
    runs: Mapping[str, Run],
    judge: Judge,
    anonymizer: Anonymizer | None,
    anonymous: Mapping[str, Run],
) -> Iterator[bytes]:
    """Yield the documents as they are packed, a line each: they say nothing that the manifest leaves out.

    ``runs`` are those of the manifest by name, without secrets, ``anonymous`` the same under pseudonyms.
    """
    for found in records:
        record, run = dict(found.content), runs.get(found.run)
        record["run_name"] = found.run
        if run is not None:
            record["arguments"] = [to_text(word) for word in run.argv]
            record["environment"] = {to_text(name): to_text(value or b"") for name, value in run.environ}
        clean = cast("Json", rewrite_strings(record, lambda text: redact_known(text, judge)))
        if anonymizer is not None:
            clean = anonymizer.anonymize_record(clean, anonymous.get(found.run))
        yield json.dumps(clean, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _read(path: Path) -> Json | None:
    """Return what a record says; None where there is none. Raises TraceError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            data = file.read(_LARGEST + 1)
        content = json.loads(data) if len(data) <= _LARGEST else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise TraceError(f"{path} is not a record ({error}); remove it to pack without it") from None
    if not isinstance(content, dict):
        raise TraceError(f"{path} is not a record; remove it to pack without it")
    return content
