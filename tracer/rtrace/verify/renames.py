"""Outputs whose names change from run to run: which file of the replay is which one of the original."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.printable import printable
from rtrace.verify.compare import compare_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rtrace.bundle.entry import Entry, Result
    from rtrace.manifest.model import NamedFile
    from rtrace.replay.protocol import Target
    from rtrace.verify.verdicts import Line

_MOST_FOLDERS = 32
"""Folders above an output whose own names may change."""
_PATTERNS_ROOM = 32 << 20
"""Bytes of all patterns of outputs and of the folders above them."""
_MOST_MATCHED = 5_000_000
"""Bytes of all names that are compared with a pattern."""


def find_renamed(
    target: Target, renamed: Mapping[bytes, bytes], results: Iterable[Result], entries: Iterable[Entry]
) -> Mapping[bytes, Result]:
    """Look at the files with other names that are outputs of the original."""
    if not renamed:
        return {}
    sizes = {renamed[result.path]: result.size for result in results if result.path in renamed}
    return target.inspect(sizes, entries).found


def find_patterns(outputs: Iterable[NamedFile]) -> dict[bytes, bytes]:
    """Return by path the patterns of outputs whose names change, and of the folders on the way to them that do, too."""
    patterns: dict[bytes, bytes] = {}
    room = _PATTERNS_ROOM
    for output in outputs:
        path, pattern = output.path, output.pattern
        deep = 1 + max(0, path.count(b"/") - _MOST_FOLDERS)
        while pattern is not None and pattern != path and path.count(b"/") == pattern.count(b"/") > deep:
            patterns[path] = pattern
            room -= len(path) + len(pattern)
            if room < 0:
                return patterns
            path, pattern = path.rpartition(b"/")[0], pattern.rpartition(b"/")[0]
        if pattern is not None and pattern != path:
            patterns[path] = pattern
    return patterns


def pair_renamed(lines: Iterable[Line], patterns: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return, by the original's path, the other name under which a replay left an output whose name changes.

    A path that is missing and one that nobody expected belong together when the pattern matches no other.
    """
    if not patterns:
        return {}
    from rtrace.files.patterns import Patterns, fixed_beginning

    missing = [line.path for line in lines if line.verdict == "missing" and line.path in patterns]
    extra = [line.path for line in lines if line.verdict == "extra" and line.path is not None]
    left = _MOST_MATCHED
    pairs: dict[bytes, bytes] = {}
    for path in filter(None, missing):
        matcher, beginning, depth = Patterns([patterns[path]]), fixed_beginning(patterns[path]), path.count(b"/")
        candidates = [other for other in extra if other.startswith(beginning) and other.count(b"/") == depth]
        left -= sum(map(len, candidates))
        if left < 0:
            return {}
        fitting = list(filter(matcher.match, candidates))
        if len(fitting) == 1:
            pairs[path] = fitting[0]
    return pairs if len(set(pairs.values())) == len(pairs) else {}


def settle_renamed(
    lines: Iterable[Line],
    renamed: Mapping[bytes, bytes],
    results: Iterable[Result],
    found: Mapping[bytes, Result],
    look: Callable[[Line, Result, Result], Line] = lambda line, _expected, _found: line,
) -> Iterator[Line]:
    """Put the comparison with the renamed file in the place of the line that says that the original's is missing.

    ``look`` takes a closer look at one that differs.
    """
    expected = {(result.run, result.path): result for result in results}
    for line in lines:
        path = line.path
        if path is not None and line.verdict == "missing" and path in renamed and (line.run, path) in expected:
            other = renamed[path]
            there = found.get(other)
            compared = compare_result(expected[line.run, path], there)
            if there is not None:
                compared = look(compared, expected[line.run, path], there)
            called, judgement = f"now called {printable(other)}", compared.judgement
            if judgement is not None:  # whoever shows what it says shows its note
                judgement = judgement._replace(note="; ".join(filter(None, (called, judgement.note))))
            detail = "; ".join(filter(None, (called, compared.detail)))
            yield replace(compared, detail=detail, judgement=judgement)
        elif not (line.verdict == "extra" and path in renamed.values()):
            yield line
