"""Files with secrets: found before they are packed, and left out, or packed with x in the place of each byte."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.files.reading import open_content, read_parts
from rtrace.files.xattrs import read_attributes
from rtrace.manifest.model import Notice, SecretPack
from rtrace.printable import printable
from rtrace.privacy.file_search import Found, Job, Search, find_places
from rtrace.privacy.helpers import search_files
from rtrace.privacy.searching.encoding import PLAIN
from rtrace.privacy.searching.matching import IN_FILES, find_rules
from rtrace.privacy.searching.scan import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.privacy.decisions import Concealment
    from rtrace.privacy.rules.rule import Rule
    from rtrace.privacy.searching.encoding import Encoding
    from rtrace.progress import Progress

_CROSSED = bytes(byte if byte in b"\r\n" else ord("x") for byte in range(256))


class SecretFiles:
    """The secrets in the files of a plan, and what is to be crossed out in which of them."""

    def __init__(self, concealment: Concealment) -> None:
        self._concealment = concealment
        self._search = Search()
        self._crossed: dict[bytes, set[Rule]] = {}
        self._left_out: set[bytes] = set()
        self._unsearched: dict[bytes, str] = {}

    def look_at(self, items: Sequence[Item], progress: Progress) -> tuple[Item, ...]:
        """Search all items, and give them with outlines of those that are left out.

        What is found in one file is looked for in all others afterwards. Hard links come after the file that holds
        their content, and go with it.
        """
        links: dict[bytes, list[bytes]] = {}
        for item in items:
            if item.entry.link is not None:
                links.setdefault(item.entry.link, []).append(item.entry.path)
        known = self._concealment.known
        files = [item for item in items if _is_searched(item)]
        self._look(files, links, Search(known), progress)
        if self._concealment.known != known:
            files = [item for item in files if item.entry.path not in self._left_out]
            self._look(files, links, Search(self._concealment.known, anew=False), progress)
        return tuple(map(self._outline, items))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Tell of the files of which a part was not searched."""
        if not self._unsearched:
            return ()
        path, why = next(iter(self._unsearched.items()))
        more = f" and {len(self._unsearched) - 1} more" if len(self._unsearched) > 1 else ""
        what = f"{printable(path)}{more} could not be searched for secrets to the end: {why}"
        return (Notice("secret", what, "look into it, or leave it out under `exclude:`"),)

    def _look(
        self, items: Sequence[Item], links: Mapping[bytes, list[bytes]], search: Search, progress: Progress
    ) -> None:
        """Search files by their names and contents, and decide upon what is found."""
        self._search = search
        jobs: list[Job] = []
        sizes: list[int] = []
        names: list[tuple[bytes, ...]] = []
        for entry, source, *_ in items:
            path = entry.path
            paths = (path, *links.get(path, ()))
            rules = find_rules(path)
            if len(paths) > 1:
                rules = rules.union(*map(find_rules, paths))
            if search.anew and rules is not IN_FILES and self._is_secret_by_name(paths, rules):
                self._left_out.add(path)
            if source is not None:
                wanted = rules if search.anew else frozenset(self._crossed.get(path, ()))
                jobs.append(search.make_job(source, path, wanted))
                sizes.append(entry.size)
                names.append(paths)
        progress.start("looking for secrets", len(jobs))
        with closing(search_files(search, jobs, sizes)) as searched:
            for paths, found in zip(names, searched, strict=True):
                if found is not None and self._decide(paths, found):
                    self._left_out.add(paths[0])
                progress.advance(1)
        progress.finish()

    def _outline(self, item: Item) -> Item:
        """Give an item, or the outline of one that is left out."""
        if item.entry.path not in self._left_out and item.entry.link not in self._left_out:
            return item
        return item._replace(entry=item.entry._replace(placeholder=True, link=None), source=None)

    def cross_out(self, item: Item, folder: Path) -> Item:
        """Give an item whose content is a copy with its secrets crossed out, as long as the original was."""
        if self._concealment.known:
            item = self._without_telling_attributes(item)
        rules = self._crossed.get(item.entry.path)
        if rules is None or item.source is None:
            return item
        encoding, places = find_places(item.source, frozenset(rules))
        copy = os.path.join(os.fsencode(folder), b"crossed-out")
        try:
            with open(item.source, "rb", opener=open_content) as source:
                state = os.fstat(source.fileno())
                with open(copy, "wb") as target:
                    target.writelines(_cross_out(read_parts(source.fileno()), places, encoding))
        except OSError:
            return item  # gone or unreadable: whoever packs it says so
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        mtime_ns = item.entry.mtime_ns if item.mtime_ns is None and item.source == item.entry.path else item.mtime_ns
        touched = item.ctime_ns if item.ctime_ns != state.st_ctime_ns else None  # the copy's is another in any case
        attributes = read_attributes(item.source)[0] if item.attributes is None else item.attributes
        return item._replace(source=copy, mtime_ns=mtime_ns, ctime_ns=touched, attributes=attributes)

    def _without_telling_attributes(self, item: Item) -> Item:
        """Give an item without the extended attributes that hold known values."""
        attributes = item.attributes
        if attributes is None:
            attributes = read_attributes(item.entry.path if item.source is None else item.source)[0]
        kept = tuple(one for one in attributes if not any(map(self._concealment.is_known_in, one)))
        return item if kept == attributes else item._replace(attributes=kept)

    def cross_out_text(self, text: bytes) -> bytes:
        """Give a text with everything in it crossed out that looks like a secret."""
        found = self._search.find_in_text(text)
        return b"".join(_cross_out([text], sorted((begin, end) for _, begin, end, _ in found), PLAIN))

    def _is_secret_by_name(self, paths: Sequence[bytes], rules: frozenset[Rule]) -> bool:
        """Tell whether a file is left out for one of its names, whatever it holds."""
        for rule in sorted((rule for rule in rules if rule.pattern is None), key=lambda rule: rule.id):
            path = next(path for path in paths if rule in find_rules(path))
            pack = self._concealment.decide(f"file {printable(path)}", rule, rule.what, SecretPack.LEFT_OUT, path)
            if pack is not SecretPack.AS_IT_IS:
                return True
        return False

    def _decide(self, paths: Sequence[bytes], found: Found) -> bool:
        """Tell whether a file with these names is left out, and remember what is crossed out in it.

        What is packed in it cannot be crossed out. Values that are found are looked for elsewhere.
        """
        path = paths[0]
        if path in self._left_out:  # for its name
            self._concealment.learn(found.values, {SecretPack.LEFT_OUT})
            return True
        place = f"file {printable(path)}"
        crossed: set[Rule] = set()
        packs = set()
        for number, (first, lines) in found.lines.items():
            rule = self._search.rules[number]
            more = f" and {lines - 1} more" if lines > 1 else ""
            what = f"{rule.what}, line {first}{more}" if first else rule.what
            pack = self._concealment.decide(place, rule, what, SecretPack.REDACTED, path)
            if pack is SecretPack.REDACTED and found.secrets > MOST:
                pack = SecretPack.LEFT_OUT
            if pack is SecretPack.REDACTED:
                crossed.add(rule)
            packs.add(pack)
        for number, (member, members) in found.inside.items():
            rule = self._search.rules[number]
            more = f" and {members - 1} more" if members > 1 else ""
            what = f"{rule.what}, in {printable(member)}{more}"
            pack = self._concealment.decide(place, rule, what, SecretPack.LEFT_OUT, path)
            packs.add(SecretPack.AS_IT_IS if pack is SecretPack.AS_IT_IS else SecretPack.LEFT_OUT)
        if found.unsearched:
            self._unsearched[path] = found.unsearched
        self._concealment.learn(found.values, packs)
        if SecretPack.LEFT_OUT in packs:
            return True
        for name in paths if crossed else ():
            self._crossed.setdefault(name, set()).update(crossed)
        return False


def _is_searched(item: Item) -> bool:
    """Whether an item holds content that not everybody who has its package has."""
    entry = item.entry
    return entry.type is FileType.REGULAR and item.source is not None and not entry.elsewhere and not entry.is_published


def _cross_out(parts: Iterable[bytes], places: Sequence[tuple[int, int]], encoding: Encoding) -> Iterator[bytes]:
    """Give the parts of a content with the bytes of these places, in order, made unreadable."""
    offset = index = 0
    for part in parts:
        text = bytearray(part)
        for begin, end in places[index:]:
            if begin >= offset + len(text):
                break
            start, stop = max(begin - offset, 0), max(min(end - offset, len(text)), 0)
            text[start:stop] = _cross(text[start:stop], offset + start, encoding)
        offset += len(text)
        while index < len(places) and places[index][1] <= offset:
            index += 1
        yield bytes(text)


def _cross(text: bytearray, offset: int, encoding: Encoding) -> bytes:
    """Give other characters in the place of all but line ends, as many bytes as before."""
    if encoding.width == 1:
        return bytes(text.translate(_CROSSED))
    places = range((encoding.place - offset) % encoding.width, len(text), encoding.width)
    crossed = bytearray(len(text))
    for at in places:
        crossed[at] = _CROSSED[text[at]]
    return bytes(crossed)
