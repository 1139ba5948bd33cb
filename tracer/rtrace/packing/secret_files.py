"""Files with secrets: found before they are packed, and left out, or packed with x in the place of each byte."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.attributes import read_attributes
from rtrace.bundle.entry import FileType
from rtrace.manifest.model import SecretPack
from rtrace.packing.content import open_content, read_parts
from rtrace.printable import printable
from rtrace.secrets.matching import MATCHER, Matcher, find_rules
from rtrace.secrets.rules import RULES, Rule
from rtrace.secrets.scan import find_in_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.writer import Item
    from rtrace.packing.concealment import Concealment
    from rtrace.progress import Progress

_MOST = 100_000  # secrets in a file: with more of them it is left out
_CROSSED = bytes(byte if byte in b"\r\n" else ord("x") for byte in range(256))


class SecretFiles:
    """The secrets in the files of a plan, and what is to be crossed out in which of them."""

    def __init__(self, concealment: Concealment) -> None:
        self._concealment = concealment
        known = concealment.known
        self._extra = frozenset(known)
        self._matcher = Matcher((*RULES, *known)) if known else MATCHER
        self._crossed: dict[bytes, frozenset[Rule]] = {}

    def look_at(self, items: Sequence[Item], progress: Progress) -> tuple[Item, ...]:
        """Give the items without the files that are left out; hard links to these go with them."""
        names: dict[bytes, list[bytes]] = {}
        for item in items:
            if item.entry.link is not None:
                names.setdefault(item.entry.link, []).append(item.entry.path)
        progress.start("looking for secrets", len(items))
        left_out = set()
        for item in items:
            entry = item.entry
            has_content = entry.type is FileType.REGULAR and item.source is not None and not entry.elsewhere
            if has_content and not entry.is_published and self._decide(item, [entry.path, *names.get(entry.path, ())]):
                left_out.add(entry.path)
            progress.advance(1)
        progress.finish()
        if not left_out:
            return tuple(items)
        return tuple(
            item._replace(entry=replace(item.entry, placeholder=True, link=None), source=None)
            if item.entry.path in left_out or item.entry.link in left_out
            else item
            for item in items
        )

    def cross_out(self, item: Item, folder: Path) -> Item:
        """Give an item whose content is a copy with its secrets crossed out, as long as the original was."""
        rules = self._crossed.get(item.entry.path)
        if rules is None or item.source is None:
            return item
        places = [(begin, end) for _, _, begin, end in self._find(item.source, rules)]
        copy = os.path.join(os.fsencode(folder), b"crossed-out")
        try:
            with open(item.source, "rb", opener=open_content) as source:
                state = os.fstat(source.fileno())
                with open(copy, "wb") as target:
                    target.writelines(_cross_out(read_parts(source.fileno()), sorted(places)))
        except OSError:
            return item  # gone or unreadable: whoever packs it says so
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        mtime_ns = item.entry.mtime_ns if item.mtime_ns is None and item.source == item.entry.path else item.mtime_ns
        touched = item.ctime_ns if item.ctime_ns != state.st_ctime_ns else None  # the copy's is another in any case
        attributes = read_attributes(item.source)[0] if item.attributes is None else item.attributes
        return item._replace(source=copy, mtime_ns=mtime_ns, ctime_ns=touched, attributes=attributes)

    def cross_out_text(self, text: bytes) -> bytes:
        """Give a text with everything in it crossed out that looks like a secret."""
        found = find_in_text(self._matcher, frozenset(RULES) | self._extra, [text])
        return b"".join(_cross_out([text], sorted((begin, end) for _, _, begin, end in found)))

    def _decide(self, item: Item, paths: list[bytes]) -> bool:
        """Look at a file under all its names; tell whether it is left out, and remember what is crossed out in it."""
        rules = frozenset(rule for path in paths for rule in find_rules(path)) | self._extra
        path = paths[0]
        place = f"file {printable(path)}"
        for rule in sorted((rule for rule in rules if rule.pattern is None), key=lambda rule: rule.id):
            named = next(name for name in paths if rule in find_rules(name))
            pack = self._concealment.decide(f"file {printable(named)}", rule, rule.what, SecretPack.LEFT_OUT, named)
            if pack is not SecretPack.AS_IT_IS:
                return True
        lines: dict[Rule, list[int]] = {}
        count = 0
        for rule, line, _, _ in self._find(item.source or path, rules):
            lines.setdefault(rule, []).append(line)
            count += 1
            if count > _MOST:
                break
        crossed = set()
        for rule, numbers in lines.items():
            different = sorted(set(numbers))
            more = f" and {len(different) - 1} more" if len(different) > 1 else ""
            what = f"{rule.what}, line {different[0]}{more}"
            pack = self._concealment.decide(place, rule, what, SecretPack.REDACTED, path)
            if pack is SecretPack.LEFT_OUT or (count > _MOST and pack is SecretPack.REDACTED):
                return True
            if pack is SecretPack.REDACTED:
                crossed.add(rule)
        if crossed:
            self._crossed |= dict.fromkeys(paths, frozenset(crossed))
        return False

    def _find(self, source: bytes, rules: frozenset[Rule]) -> Iterator[tuple[Rule, int, int, int]]:
        try:
            with open(source, "rb", opener=open_content) as file:
                yield from find_in_text(self._matcher, rules, read_parts(file.fileno()))
        except OSError:
            return


def _cross_out(parts: Iterable[bytes], places: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """Give the parts of a content with the bytes of these places, in order, made unreadable."""
    offset = index = 0
    for part in parts:
        text = bytearray(part)
        for begin, end in places[index:]:
            if begin >= offset + len(text):
                break
            start, stop = max(begin - offset, 0), max(min(end - offset, len(text)), 0)
            text[start:stop] = text[start:stop].translate(_CROSSED)
        offset += len(text)
        while index < len(places) and places[index][1] <= offset:
            index += 1
        yield bytes(text)
