"""Files with secrets, found before they are packed: each is left out, or masked in the places that tell a secret."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle.entry import FileType
from rtrace.debugging import debug
from rtrace.manifest.model import Notice, SecretPack
from rtrace.printable import count_more, printable
from rtrace.privacy.file_search import Found, SearchJob, SecretSearch
from rtrace.privacy.helpers import search_files
from rtrace.privacy.masking import Masking
from rtrace.privacy.searching.matching import IN_FILES, find_rules
from rtrace.privacy.searching.scan import MOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.privacy.decisions import Decisions
    from rtrace.privacy.rules.rule import Rule
    from rtrace.progress import Progress


class SearchedItems(NamedTuple):
    """Items after the search: those left out are placeholders, ``masking`` says where the others are masked."""

    items: tuple[Item, ...]
    masking: Masking
    notices: tuple[Notice, ...]


def search_items(items: Sequence[Item], decisions: Decisions, progress: Progress) -> SearchedItems:
    """Search all items for secrets, and decide on what is found.

    A value that is found in one file is searched for in all others afterwards. Hard links come after the file that
    holds their content, and share its fate.
    """
    links: dict[bytes, list[bytes]] = {}
    for item in items:
        if item.entry.link is not None:
            links.setdefault(item.entry.link, []).append(item.entry.path)
    files = [item for item in items if _is_searched(item)]
    search = SecretSearch(decisions.values)
    deciding = _FileDecisions(decisions)
    deciding.search(files, links, search, progress)
    values = set(search.known)
    if decisions.values != search.known:
        files = [item for item in files if item.entry.path not in deciding.left_out]
        search = SecretSearch(decisions.values, anew=False)
        deciding.search(files, links, search, progress)
        values |= set(search.known)
    masked = {path: frozenset(rules) for path, rules in sorted(deciding.masked.items())}
    return SearchedItems(
        tuple(_empty_if(deciding.left_out, item) for item in items),
        Masking(masked, tuple(sorted(values))),
        deciding.notices,
    )


class _FileDecisions:
    """What is decided on files during a search.

    ``masked`` has, by path, the numbers of the rules whose findings are masked; ``left_out`` the paths without content.
    """

    def __init__(self, decisions: Decisions) -> None:
        self.masked: dict[bytes, set[int]] = {}
        self.left_out: set[bytes] = set()
        self._decisions = decisions
        self._unsearched: dict[bytes, str] = {}

    @property
    def notices(self) -> tuple[Notice, ...]:
        """A notice that counts the files with a part that was not searched."""
        if not self._unsearched:
            return ()
        path, why = next(iter(self._unsearched.items()))
        more = count_more(len(self._unsearched) - 1, "file")
        what = f"{printable(path)}{more} could not be searched for secrets to the end: {why}"
        return (Notice("secret", what, "look into it, or leave it out under `exclude:`"),)

    def search(
        self, items: Sequence[Item], links: Mapping[bytes, list[bytes]], search: SecretSearch, progress: Progress
    ) -> None:
        """Search files by their names and contents, and decide on what is found."""
        jobs: list[SearchJob] = []
        sizes: list[int] = []
        names: list[tuple[bytes, ...]] = []
        for entry, source, *_ in items:
            path = entry.path
            paths = (path, *links.get(path, ()))
            rules = find_rules(path)
            if len(paths) > 1:
                rules = rules.union(*map(find_rules, paths))
            if search.anew and rules is not IN_FILES and self._is_secret_by_name(paths, rules):
                self.left_out.add(path)
            if source is not None:
                masked = frozenset(search.rules[number] for number in self.masked.get(path, ()))
                jobs.append(search.make_job(source, path, rules if search.anew else masked))
                sizes.append(entry.size)
                names.append(paths)
        progress.start("looking for secrets", len(jobs), "files")
        with closing(search_files(search, jobs, sizes)) as searched:
            for paths, found in zip(names, searched, strict=True):
                if found is not None and self._decide(paths, found, search):
                    self.left_out.add(paths[0])
                progress.advance(1)
        progress.finish()
        debug(
            __name__,
            "searched %d files with %d bytes by %s: %d left out, %d masked so far, %d not to the end",
            len(jobs),
            sum(sizes),
            "all rules" if search.anew else "known values",
            len(self.left_out),
            len(self.masked),
            len(self._unsearched),
        )

    def _is_secret_by_name(self, paths: Sequence[bytes], rules: frozenset[Rule]) -> bool:
        """Whether a file is left out for one of its names, whatever it holds."""
        for rule in sorted((rule for rule in rules if rule.pattern is None), key=lambda rule: rule.id):
            path = next(path for path in paths if rule in find_rules(path))
            pack = self._decisions.decide(f"file {printable(path)}", rule, rule.what, SecretPack.LEFT_OUT, path)
            if pack is not SecretPack.AS_IT_IS:
                return True
        return False

    def _decide(self, paths: Sequence[bytes], found: Found, search: SecretSearch) -> bool:
        """Decide on a file with these names: return whether it is left out, else note what is masked in it.

        Values that are found are searched for elsewhere.
        """
        path = paths[0]
        if path in self.left_out:  # for its name
            self._decisions.learn(found.values, {SecretPack.LEFT_OUT})
            return True
        if found.unsearched:
            self._unsearched[path] = found.unsearched
        masked, packs = self._decide_on_lines(path, found, search)
        packs |= self._decide_on_members(path, found, search)
        self._decisions.learn(found.values, packs)
        if SecretPack.LEFT_OUT in packs:
            return True
        for name in paths if masked else ():
            self.masked.setdefault(name, set()).update(masked)
        return False

    def _decide_on_lines(self, path: bytes, found: Found, search: SecretSearch) -> tuple[set[int], set[SecretPack]]:
        """Decide on secrets in the lines of a file: return the rules whose findings are masked, and all decisions."""
        masked: set[int] = set()
        packs: set[SecretPack] = set()
        for number, (first, lines) in found.lines.items():
            rule = search.rules[number]
            what = f"{rule.what}, line {first}{count_more(lines - 1, 'line')}" if first else rule.what
            pack = self._decisions.decide(f"file {printable(path)}", rule, what, SecretPack.REDACTED, path)
            if pack is SecretPack.REDACTED and found.secrets > MOST:
                pack = SecretPack.LEFT_OUT
            if pack is SecretPack.REDACTED:
                masked.add(number)
            packs.add(pack)
        return masked, packs

    def _decide_on_members(self, path: bytes, found: Found, search: SecretSearch) -> set[SecretPack]:
        """Decide on secrets in what is packed in a file: that cannot be masked, so the file goes in or stays out."""
        packs: set[SecretPack] = set()
        for number, (member, members) in found.inside.items():
            rule = search.rules[number]
            what = f"{rule.what}, in {printable(member)}{count_more(members - 1, 'file')}"
            pack = self._decisions.decide(f"file {printable(path)}", rule, what, SecretPack.LEFT_OUT, path)
            packs.add(SecretPack.AS_IT_IS if pack is SecretPack.AS_IT_IS else SecretPack.LEFT_OUT)
        return packs


def _empty_if(left_out: set[bytes], item: Item) -> Item:
    """Return an item, as a placeholder if it, or the file that holds its content, is left out."""
    if item.entry.path not in left_out and item.entry.link not in left_out:
        return item
    return item._replace(entry=item.entry._replace(placeholder=True, link=None), source=None)


def _is_searched(item: Item) -> bool:
    """Whether an item holds content that not everybody who has its package has."""
    entry = item.entry
    return entry.type is FileType.REGULAR and item.source is not None and not entry.elsewhere and not entry.is_published
