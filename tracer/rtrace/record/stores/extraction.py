"""What an index keeps of a document: what lists show, what filters ask for, and what can be looked up.

Files are kept as keys, which are words of their digests, paths and names; a run's files are in its document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from rtrace.record.stores.escaping import escape
from rtrace.record.times import read_time

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, ParameterFact, Record

EXTRACTION = 2
"""Grows with every change of what is kept, so that indexes are made again."""

COLUMNS = (
    "id",
    "kind",
    "status",
    "label",
    "parent",
    "started",
    "wall",
    "exit_code",
    "signal",
    "project",
    "reason",
    "outcome",
    "user",
    "host",
    "main",
    "workingdir",
    "verdict",
    "inputs",
    "outputs",
    "tags",
    "arguments",
)
"""Those of a run in a list, in the order of `Row`; the last two are JSON."""

WROTE, READ, PATH, NAME = "o", "i", "p", "n"
"""The letters with which keys begin."""

_KEY_DIGITS = 16
_HASH_BYTES = 8
_MOST_WORDS = 50_000
_MOST_TEXT = 1 << 20
_MOST = 1 << 63
_WORD = re.compile(r"[^\W_]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_get_path, _get_digest = itemgetter("path"), itemgetter("sha256")


class Indexed(NamedTuple):
    """What an index keeps of one document. ``keys`` and ``words`` are joined by blanks."""

    row: tuple[object, ...]
    tags: list[str]
    parameters: list[tuple[str, str]]
    prose: str
    words: str
    keys: str
    fingerprint: bytes


def extract(record: Record) -> Indexed:
    """Return what an index keeps of a record. Raises KeyError, TypeError and ValueError for what is no record."""
    words, keys = extract_files(record)
    fingerprint = blake2b(f"{words}\0{keys}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    tags = [escape(tag) for tag in record["tags"]]
    parameters = [(escape(fact["name"]), write_value(fact["value"])) for fact in record["parameters"]]
    return Indexed(extract_row(record), tags, parameters, extract_prose(record), words, keys, fingerprint)


def extract_row(record: Record) -> tuple[object, ...]:
    """Return the columns of a run, text as databases keep it."""
    project, verdict = record["project"], record["verdict"]
    return (
        record["id"],
        escape(record["kind"]),
        escape(record["status"]),
        escape(record["label"]),
        escape(record["parent"]),
        read_time(record["started"]) if record["started"] else None,
        keep_number(record["usage"]["wall"]),
        keep_number(record["exit_code"]),
        keep_number(record["signal"]),
        escape(project["name"]) if project else None,
        escape(record["reason"]),
        escape(record["outcome"]),
        escape(record["user"]["name"]),
        escape(record["machine"]["hostname"]),
        escape(record["main"]),
        escape(record["workingdir"]),
        escape(verdict["verdict"]) if verdict else None,
        len(record["inputs"]),
        len(record["outputs"]),
        json.dumps(record["tags"]),
        json.dumps(record["arguments"]),
    )


def extract_prose(record: Record) -> str:
    """Return the text of a run that can be searched, where words may stand together."""
    project = record["project"]
    parts: list[str | None] = [
        record["label"],
        record["reason"],
        record["outcome"],
        " ".join(record["tags"]),
        project["name"] if project else None,
        project["description"] if project else None,
        " ".join(record["arguments"]),
        *map(write_parameter, record["parameters"]),
        record["user"]["name"],
        record["machine"]["hostname"],
        *(stream["text"] for stream in (record["stdout"], record["stderr"]) if stream),
    ]
    return _clean("\n".join(part for part in parts if part)[:_MOST_TEXT])


def write_parameter(fact: ParameterFact) -> str:
    """Return a parameter as a text in which its name and its value are found, the value as it was written."""
    value = fact["value"]
    return f"{fact['name']} = {value if isinstance(value, str) else json.dumps(value)}"


def extract_files(record: Record) -> tuple[str, str]:
    """Return the words in the paths of a run's files, and the keys of these files."""
    outputs, inputs = record["outputs"], record["inputs"]
    more = [*record["scripts"], *record["executables"]]
    keys = [WROTE + digest[:_KEY_DIGITS] for digest in find_digests(outputs)]
    keys += [READ + digest[:_KEY_DIGITS] for digest in map(_get_digest, inputs) if digest]
    keys += [READ + one["sha256"][:_KEY_DIGITS] for one in more if one["sha256"]]
    paths = [*map(_get_path, outputs), *map(_get_path, inputs), *(one["path"] for one in more)]
    paths += [path for path in (record["main"], record["workingdir"]) if path]
    parts = []
    for path in dict.fromkeys(paths):
        folder, name, path_key, name_key = _split(path)
        parts += [folder, name]
        keys += [path_key, name_key]
    words = dict.fromkeys(_WORD.findall(_clean("\n".join(dict.fromkeys(parts))).lower()))  # in one order, unlike a set
    return " ".join(list(words)[:_MOST_WORDS]), " ".join(dict.fromkeys(keys))


def find_digests(files: Iterable[FileFact]) -> Iterable[str]:
    """Yield the digests of files, with and without a stamp."""
    for file in files:
        if file["sha256"]:
            yield file["sha256"]
        yield from file["stamped"]


def find_keys(digest: str) -> tuple[str, str]:
    """Return the keys under which a content is found that was written, or read."""
    return WROTE + digest[:_KEY_DIGITS], READ + digest[:_KEY_DIGITS]


def find_file_key(path: bytes) -> str:
    """Return the key of a path, or of a file's name when there is no slash in it."""
    text = path.decode("utf-8", "surrogateescape")
    return (PATH if "/" in text else NAME) + _hash(text)


def write_value(value: object) -> str:
    """Return the value of a parameter as text, numbers in one way: 0.10 is 0.1, and 1e3 is 1000."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = str(value)
    try:
        number = float(text)
    except ValueError:
        return escape(text)
    return str(int(number)) if number.is_integer() and abs(number) < 1 << 53 else repr(number)


def keep_number(value: float | None) -> float | None:
    """Return a number, None for one that no database can keep. Raises TypeError for what is no number."""
    if value is None:
        return None
    if type(value) not in {int, float}:
        raise TypeError
    return value if abs(value) < _MOST else None  # one that is no number at all is not smaller, either


@lru_cache(maxsize=1 << 16)  # runs have many of their files in common
def _split(path: str) -> tuple[str, str, str, str]:
    """Return the folder and the name of a path, and the keys of path and name."""
    folder, _, name = path.rpartition("/")
    return folder, name, PATH + _hash(path), NAME + _hash(name)


def _hash(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=_HASH_BYTES).hexdigest()


def _clean(text: str) -> str:
    """Return text of which words alone are kept, with question marks for characters that are in no word."""
    return _SURROGATES.sub("?", text).replace("\0", "?")
