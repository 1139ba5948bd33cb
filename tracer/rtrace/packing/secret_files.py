"""Files with secrets: found before they are packed, and left out, or packed with x in the place of each byte."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.attributes import read_attributes
from rtrace.bundle.entry import FileType
from rtrace.content import open_content, read_parts
from rtrace.manifest.model import SecretPack
from rtrace.packing.search import MOST, Found, Job, Search, find_in_file
from rtrace.packing.search_helpers import search_files
from rtrace.printable import printable
from rtrace.secrets.matching import IN_FILES, find_rules

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.writer import Item
    from rtrace.packing.concealment import Concealment
    from rtrace.secrets.rules import Rule

_CROSSED = bytes(byte if byte in b"\r\n" else ord("x") for byte in range(256))


class SecretFiles:
    """The secrets in the files of a plan, and what is to be crossed out in which of them."""

    def __init__(self, concealment: Concealment) -> None:
        self._concealment = concealment
        self._search = Search(concealment.known)
        self._crossed: dict[bytes, frozenset[Rule]] = {}

    def look_at(self, items: Sequence[Item]) -> Generator[Item, None, None]:
        """Give the items in their order, each as soon as it was searched: outlines of what is left out.

        Hard links come after the file that holds their content, and go with it.
        """
        left_out: set[bytes] = set()
        files: list[tuple[bytes, ...] | None] = []
        jobs: list[Job] = []
        sizes: list[int] = []
        links: dict[bytes, list[bytes]] = {}
        for item in items:
            if item.entry.link is not None:
                links.setdefault(item.entry.link, []).append(item.entry.path)
        for entry, source, *_ in items:
            paths: tuple[bytes, ...] | None = None
            if entry.type is FileType.REGULAR and source is not None and not (entry.elsewhere or entry.is_published):
                path = entry.path
                paths, rules = (path,), find_rules(path)
                if path in links:
                    paths, rules = (path, *links[path]), rules.union(*map(find_rules, links[path]))
                if rules is not IN_FILES and self._is_secret_by_name(paths, rules):
                    left_out.add(path)
                    paths = None
                else:
                    jobs.append(self._search.make_job(source, rules))
                    sizes.append(entry.size)
            files.append(paths)
        with closing(search_files(self._search, jobs, sizes)) as searched:
            for item, paths in zip(items, files, strict=True):
                if paths is not None:
                    found = next(searched)
                    if found is not None and self._decide(paths, found):
                        left_out.add(paths[0])
                if left_out and (item.entry.path in left_out or item.entry.link in left_out):
                    entry = item.entry._replace(placeholder=True, link=None)
                    yield item._replace(entry=entry, source=None)
                else:
                    yield item

    def cross_out(self, item: Item, folder: Path) -> Item:
        """Give an item whose content is a copy with its secrets crossed out, as long as the original was."""
        rules = self._crossed.get(item.entry.path)
        if rules is None or item.source is None:
            return item
        places = [(begin, end) for _, _, begin, end in find_in_file(item.source, rules)]
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
        found = self._search.find_in_text(text)
        return b"".join(_cross_out([text], sorted((begin, end) for _, begin, end, _ in found)))

    def _is_secret_by_name(self, paths: Sequence[bytes], rules: frozenset[Rule]) -> bool:
        """Tell whether a file is left out for one of its names, whatever it holds."""
        for rule in sorted((rule for rule in rules if rule.pattern is None), key=lambda rule: rule.id):
            path = next(path for path in paths if rule in find_rules(path))
            pack = self._concealment.decide(f"file {printable(path)}", rule, rule.what, SecretPack.LEFT_OUT, path)
            if pack is not SecretPack.AS_IT_IS:
                return True
        return False

    def _decide(self, paths: Sequence[bytes], found: Found) -> bool:
        """Tell whether a file with these names is left out, and remember what is crossed out in it."""
        path = paths[0]
        crossed = set()
        for number, (first, lines) in found.lines.items():
            rule = self._search.rules[number]
            more = f" and {lines - 1} more" if lines > 1 else ""
            what = f"{rule.what}, line {first}{more}"
            pack = self._concealment.decide(f"file {printable(path)}", rule, what, SecretPack.REDACTED, path)
            if pack is SecretPack.LEFT_OUT or (found.secrets > MOST and pack is SecretPack.REDACTED):
                return True
            if pack is SecretPack.REDACTED:
                crossed.add(rule)
        if crossed:
            self._crossed |= dict.fromkeys(paths, frozenset(crossed))
        return False


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
