"""Secrets taken out of a record before it is written, by the rules that bundles are searched by.

What is found in one place is looked for in all others: a token of the environment that a program prints is taken out of
its output, too. The record says in `redacted` where something was, and what kind of thing; never the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rtrace.debugging import debug
from rtrace.path_text import to_bytes, to_text
from rtrace.printable import printable
from rtrace.privacy.remembered import Remembered
from rtrace.record.history.place import own_folder
from rtrace.record.taking.secrets.patience import Patience, TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Environment
    from rtrace.record.document import Record
    from rtrace.record.taking.secrets.search import Search

REDACTED = "redacted"
LONGEST = 0.8
"""Seconds of processor time in which all texts of a record are searched; of what is left then, nothing is kept."""
_ADVICE = "the record does not have it; the trace does"
_DIGITS, _LETTERS = frozenset("0123456789"), frozenset("abcdefghijklmnopqrstuvwxyz")
_SHORTEST_TOKEN = 20


class RecordRedactor:
    """Takes secrets out of the parts of one record, and knows them from then on.

    The rules are loaded when a text comes that was never searched before.
    """

    def __init__(self, memory: Path | None = None) -> None:
        """Know of what was searched before from a file, by default the user's."""
        self._remembered = Remembered(own_folder().with_name("harmless") if memory is None else memory)
        self._search: Search | None = None
        self._patience = Patience(LONGEST)
        self._unsearched: set[str] = set()  # places of which nothing is kept
        self._harmless: set[bytes] = set()  # commands; a shell executes one a thousand times

    def environment(self, environ: Environment) -> Environment:
        """Return variables without their secrets."""
        items = [name if value is None else name + b"=" + value for name, value in environ]
        if all(self._remembered.knows("variable", item) for item in items):
            return environ
        search = self._load()
        try:
            with self._patience.limiting():
                kept = search.environment(environ)
        except TooLongError:
            self._unsearched.add("the environment")
            return tuple((name, None if value is None else REDACTED.encode()) for name, value in environ)
        clean = set(kept)
        for item, variable in zip(items, environ, strict=True):
            if variable in clean:
                self._remembered.remember("variable", item)
        return kept

    def arguments(self, program: bytes, argv: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return the words of a command without their secrets."""
        words, text = tuple(argv), b"\0".join(argv)
        if text in self._harmless or self._is_harmless("argument", text):
            self._harmless.add(text)
            return words
        search = self._load()
        try:
            with self._patience.limiting():
                kept = search.arguments(program, words)
        except TooLongError:
            self._unsearched.add(f"arguments of {printable(program)}")
            return tuple(REDACTED.encode() for _ in words)
        if kept == words:
            self._harmless.add(text)
            self._remembered.remember("argument", text)
        return kept

    def address(self, place: str, address: str) -> str:
        """Return an address without its secrets."""
        text = to_bytes(address)
        if self._remembered.has_no_needle("argument", text) or self._remembered.knows("address", text):
            return address
        search = self._load()
        try:
            with self._patience.limiting():
                kept = search.address(place, address)
        except TooLongError:
            self._unsearched.add(place)
            return REDACTED
        if kept == address:
            self._remembered.remember("address", text)  # a command with the same text is searched by more rules
        return kept

    def output(self, place: str, text: str) -> str:
        """Return what a program printed without its secrets."""
        data = to_bytes(text)
        if self._remembered.has_no_needle("file", data):
            return text
        return to_text(self.content(place, b"/output", data))

    def content(self, place: str, path: bytes, text: bytes) -> bytes:
        """Return a text without its secrets, searched as a file of this path would be."""
        known = path + b"\0" + text
        if self._remembered.knows("content", known):
            return text
        search = self._load()
        try:
            with self._patience.limiting():
                kept = search.content(place, path, text)
        except TooLongError:
            self._unsearched.add(place)
            return REDACTED.encode()
        if kept == text:
            self._remembered.remember("content", known)
        return kept

    def names(self, place: str, names: Iterable[str]) -> None:
        """Look for secrets in names of files, branches and the like; `finish` takes out what is found in them."""
        parts = {part for name in names for part in name.split("/") if _is_like_a_token(part)}
        text = to_bytes("\n".join(sorted(parts)))
        if not text or self._remembered.has_no_needle("argument", text) or self._remembered.knows("name", text):
            return
        search = self._load()
        try:
            with self._patience.limiting():
                if search.address(place, to_text(text)) == to_text(text):
                    self._remembered.remember("name", text)
        except TooLongError:  # they stand in the trace, too, and what is found elsewhere is taken out of them
            debug(__name__, "%s: not searched for secrets", place)

    def value(self, place: str, name: str, value: str) -> str:
        """Return the value of a parameter; a word in its place where its name and it look like a secret."""
        item = to_bytes(name.rpartition(".")[2]), to_bytes(value)
        text = b"=".join(item)
        if self._remembered.knows("variable", text):
            return value
        search = self._load()
        try:
            with self._patience.limiting():
                if search.is_secret(place, *item):
                    return REDACTED
        except TooLongError:
            self._unsearched.add("parameters")
            return REDACTED
        self._remembered.remember("variable", text)
        return value

    def finish(self, record: Record) -> Record:
        """Return a record without any secret that was found in a part of it, and with the list of their places."""
        self._remembered.save()
        record["notices"] += [
            {"kind": "record", "what": f"{place} took too long to be searched for secrets", "advice": _ADVICE}
            for place in sorted(self._unsearched)
        ]
        if self._search is None:
            return record
        record = cast("Record", self._search.rewrite(record))
        # A place is called by names that may hold a secret themselves.
        record["redacted"] = cast("list[str]", self._search.rewrite(self._search.list_places()))
        return record

    def _is_harmless(self, kind: str, text: bytes) -> bool:
        return self._remembered.has_no_needle(kind, text) or self._remembered.knows(kind, text)

    def _load(self) -> Search:
        if self._search is None:
            from rtrace.record.taking.secrets.search import Search  # with all rules: 50 ms

            self._search = Search()
        return self._search


def _is_like_a_token(name: str) -> bool:
    """Whether a name is long and has letters and digits: most names are not like that and need no rules."""
    return len(name) >= _SHORTEST_TOKEN and not (_DIGITS.isdisjoint(name) or _LETTERS.isdisjoint(name.lower()))
