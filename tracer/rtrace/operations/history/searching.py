"""`rtrace search`: the runs in which a text was found, and where in their records it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtrace.record.document import Record
from rtrace.record.stores.extraction import write_parameter
from rtrace.record.stores.terms import read_terms

MOST_PLACES = 5
_AROUND = 40


def find_places(record: Record, text: str, most: int = MOST_PLACES) -> list[str]:
    """Return where the words of a search stand in a record, a line each: the field, and what is around the word."""
    words = {word for term in read_terms(text) for word in term.words}
    if not words:
        return []
    pattern = re.compile("|".join(rf"(?<![^\W_]){re.escape(word)}" for word in sorted(words)), re.IGNORECASE)
    places = []
    for field, value in list_texts(record):
        lowered = value.lower()
        if not any(word in lowered for word in words):  # of thousands of paths most have none
            continue
        found = pattern.search(value)
        if found is not None:
            places.append(f"{field}: {cut_around(value, *found.span())}")
            if len(places) == most:
                break
    return places


def list_texts(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the texts of a record that are searched, with the names of their fields."""
    plain = (("label", record["label"]), ("reason", record["reason"]), ("outcome", record["outcome"]))
    yield from ((field, value) for field, value in plain if value)
    if record["tags"]:
        yield "tags", " ".join(record["tags"])
    project = record["project"]
    if project is not None:
        yield "project", " ".join(filter(None, (project["name"], project["description"])))
    yield "command", " ".join(record["arguments"])
    yield from (("parameter", write_parameter(fact)) for fact in record["parameters"])
    streams = (("standard output", record["stdout"]), ("standard error", record["stderr"]))
    yield from ((field, stream["text"]) for field, stream in streams if stream and stream["text"])
    yield from (("wrote", file["path"]) for file in record["outputs"])
    yield from (("read", file["path"]) for file in record["inputs"])
    yield from (("ran", script["path"]) for script in record["scripts"])
    yield from (("ran", program["path"]) for program in record["executables"])
    yield from (("ran in", folder) for folder in [record["workingdir"]] if folder)


def cut_around(text: str, first: int, last: int) -> str:
    """Return the surroundings of a word, on one line."""
    start, end = max(first - _AROUND, 0), last + _AROUND
    cut = " ".join(text[start:end].split())
    return f"{'...' if start else ''}{cut}{'...' if end < len(text) else ''}"
