"""Results whose bytes are not the original's, compared as what they are: whether they say the same, and where not."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rtrace.bundle.written_content import BLOCK_SIZE
from rtrace.errors import RtraceError
from rtrace.opening import open_bundle
from rtrace.printable import printable, printable_text
from rtrace.verify.exhibits.model import Exhibit
from rtrace.verify.judging.apart import Apart
from rtrace.verify.rules import Rules
from rtrace.verify.verdicts import ALIKE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from rtrace.bundle.entry import Result
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.bundle.written_content import WrittenContent
    from rtrace.manifest.model import Manifest, Run
    from rtrace.replay.protocol import Target
    from rtrace.replay.streams import Collected
    from rtrace.verify.exhibits.gallery import Gallery
    from rtrace.verify.kinds.model import Judgement, Rule
    from rtrace.verify.verdicts import Line

_OF_CONTENT = frozenset({"size", "content"})
"""Reasons that a closer look may take away: with any other a result is different whatever is in it."""
MOST = 1 << 30
"""Bytes of a result of the replay that are looked at."""
_NOT_KEPT = "the bundle does not hold what the original wrote, so there is nothing to show beside it"
_BLOCKS = "the bundle has only digests of what the original wrote, so there is nothing to show beside it"
_TOO_LARGE = f"it is larger than {MOST >> 30} GiB, or gone, so nothing of it is shown"


class Substance:
    """Looks at results that differ in their bytes: what the original wrote is in the bundle, or digests of it are."""

    def __init__(
        self,
        bundle: Path,
        target: Target,
        folder: Path,
        manifest: Manifest,
        rule: Rule | None,
        find_tolerances: Callable[[Line], Collection[float]] = lambda _line: (),
        gallery: Gallery | None = None,
    ) -> None:
        """Begin; ``folder`` is a new one, for copies, and the rule is for what the manifest has none for.

        Without a rule nothing is compared. What differs is shown in the gallery. ``find_tolerances`` gives the
        tolerances within which a result may be close besides.
        """
        self._path = bundle
        self._target = target
        self._folder = folder
        self._rules = None if rule is None else Rules(manifest, rule)
        self._find_tolerances = find_tolerances
        self._gallery = gallery
        self._stack = ExitStack()
        self._bundle: OpenBundle | None = None
        self._apart: Apart | None = None

    def __enter__(self) -> Substance:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settle(
        self,
        lines: Iterable[Line],
        run: Run,
        results: Iterable[Result],
        streams: Mapping[str, Collected],
        found_there: Mapping[bytes, Result],
    ) -> Iterator[Line]:
        """Yield the lines of a run, those of results that differ in their bytes with what a closer look says.

        ``found_there`` is what the replay left: what is very large there, or has very large holes, is not copied.
        """
        by_path: dict[bytes, Result] = {}
        for line in lines:
            if line.run == run.id and line.path is not None and line.verdict == "missing":
                by_path = by_path or {result.path: result for result in results}
                yield self._show_missing(line, by_path.get(line.path))
                continue
            if line.run != run.id or line.verdict != "different" or not _OF_CONTENT.issuperset(line.reasons):
                yield line
                continue
            if line.path is None and line.stream is not None:
                stream = run.stdout if line.stream == "stdout" else run.stderr
                found = streams[line.stream].path if line.stream in streams else None
                if stream is None or stream.sha256 is None or found is None:
                    yield line
                else:
                    rule = None if self._rules is None else self._rules.find_of_stream(run, line.stream)
                    yield self._look(line, stream.sha256, found, line.stream.encode(), rule)
                continue
            by_path = by_path or {result.path: result for result in results}
            result = by_path.get(line.path or b"")
            there = found_there.get(line.path or b"")
            yield line if result is None or there is None else self.look_at(line, result, there)

    def look_at(self, line: Line, expected: Result, found: Result) -> Line:
        """Return the line of a file after a closer look, where its content is why it differs."""
        if line.verdict != "different" or not _OF_CONTENT.issuperset(line.reasons):
            return line
        if found.size > MOST:
            return self._note(line, _TOO_LARGE)
        return line if expected.sha256 is None else self._look_at_file(line, found.path, expected.sha256)

    def _look_at_file(self, line: Line, path: bytes, sha256: str) -> Line:
        found = self._folder / "found"
        try:
            with found.open("wb") as file:
                self._target.fetch(path, file)
        except (RtraceError, OSError):  # it was there a moment ago: what is known of it stands
            return self._note(line, _TOO_LARGE)
        rule = None if self._rules is None else self._rules.find(line.path or path)
        return self._look(line, sha256, found, path.rpartition(b"/")[2], rule)

    def _look(self, line: Line, sha256: str, found: Path, name: bytes, rule: Rule | None) -> Line:
        """Compare a file with what the original run wrote, as far as the bundle has it."""
        content = self._open().find_written(sha256)
        if content is None:
            return self._note(line, _NOT_KEPT)
        if content.offset is None:
            block = None if rule is None else find_block(content, found)
            if block is None:
                return self._note(line, _BLOCKS)
            place = f"{line.detail}; the first difference is between the bytes {block} and {block + BLOCK_SIZE}"
            return self._note(replace(line, detail=place), _BLOCKS)
        expected = self._copy(content)
        told = line if rule is None else self._judge(line, rule, partial(self._begin().judge, expected, found), name)
        return self._show(told, expected, found)

    def _show_missing(self, line: Line, result: Result | None) -> Line:
        """Show the beginning of what is missing, as the bundle has it."""
        if not self._shows(line) or result is None or result.sha256 is None:
            return line
        content = self._open().find_written(result.sha256)
        return line if content is None or content.offset is None else self._show(line, self._copy(content), None)

    def _show(self, line: Line, expected: Path | None, found: Path | None) -> Line:
        """Return a line with what a person is shown of both files, if anybody asked for that."""
        if self._gallery is None or not self._gallery.takes(line.path, line.stream):
            return line
        apart, judgement = self._begin(), line.judgement
        exhibit = self._gallery.add(
            lambda room: apart.show(expected, found, judgement, room), alike=line.verdict in ALIKE
        )
        return line if exhibit is None else replace(line, exhibit=exhibit)

    def _note(self, line: Line, why: str) -> Line:
        """Return a line with the reason why nothing is shown of it."""
        return replace(line, exhibit=Exhibit(note=why)) if self._shows(line) else line

    def _shows(self, line: Line) -> bool:
        return self._gallery is not None and self._gallery.takes(line.path, line.stream)

    def _open(self) -> OpenBundle:
        if self._bundle is None:
            self._bundle = self._stack.enter_context(open_bundle(self._path))
        return self._bundle

    def _begin(self) -> Apart:
        if self._apart is None:
            self._apart = self._stack.enter_context(Apart())
        return self._apart

    def _copy(self, content: WrittenContent) -> Path:
        """Copy what the original wrote out of the bundle."""
        expected = self._folder / "expected"
        with expected.open("wb") as file:
            file.writelines(self._open().read_written(content))
        return expected

    def _judge(self, line: Line, rule: Rule, judge: Callable[[Rule, bytes], Judgement], name: bytes) -> Line:
        """Judge a result within the largest tolerance that is allowed; what is close there within smaller ones, too."""
        wanted = {None: rule.tolerance} | {tolerance: tolerance for tolerance in self._find_tolerances(line)}
        most = max(wanted.values())
        told = tell(line, judge(replace(rule, tolerance=most), name))
        if told.verdict != "close" or most == min(wanted.values()):
            return told
        within = {most: told}
        for tolerance in wanted.values():
            if tolerance not in within:
                within[tolerance] = tell(line, judge(replace(rule, tolerance=tolerance), name))
        return replace(told, stricter=tuple((key, within[tolerance]) for key, tolerance in wanted.items()))


def find_block(content: WrittenContent, found: Path) -> int | None:
    """Return where the first block of a file begins that is not as in the original; None where none differs."""
    with found.open("rb") as file:
        for number in range(-(-content.size // BLOCK_SIZE)):
            block = file.read(BLOCK_SIZE)
            if hashlib.sha256(block).hexdigest() != content.find_block(number):
                return number * BLOCK_SIZE
        return content.size if file.read(1) else None


def tell(line: Line, judgement: Judgement) -> Line:
    """Return a line with what a closer look says; what it could not compare is different as it was."""
    match judgement.likeness:
        case "equal" | "close":
            detail = f"{judgement.kind}, with other bytes: {', '.join(judgement.ignored) or 'nothing that it says'}"
            if judgement.likeness == "close":
                detail = f"{judgement.kind}: the largest difference is {judgement.amount:g}"
            return replace(line, verdict=judgement.likeness, detail=_clean(detail), judgement=judgement)
        case "different":
            where = f"{judgement.kind}, {judgement.place}: " if judgement.kind != "bytes" else f"{judgement.place}: "
            detail = f"{where}{judgement.found}, was {judgement.expected}" if judgement.place else line.detail
            more = f"; {judgement.note}" if judgement.note else ""
            return replace(line, detail=_clean(detail + more), judgement=judgement)
        case _:
            return replace(line, detail=_clean(f"{line.detail}; {judgement.note}"), judgement=judgement)


def _clean(text: str) -> str:
    return printable_text(text) if text.isprintable() else printable(text.encode("utf-8", "surrogateescape"))
