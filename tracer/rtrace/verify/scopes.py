"""What of a comparison the verdict is about: the outputs that the manifest names, and what is to be ignored."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.describe.internals import Internals, Prefixes
from rtrace.files.patterns import Patterns
from rtrace.printable import printable
from rtrace.verify.verdicts import Line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rtrace.manifest.model import Manifest
    from rtrace.verify.verdicts import Scope

STREAM_NAMES = (b"stdout", b"stderr")
"""What stands for a stream among patterns; a file of such a name is ``**/stdout`` there."""
NOT_WRITTEN = (
    "no run is known to have written it, so there is nothing to compare it with; correct its path in `outputs:`"
)


class Scopes:
    """Knows of a line what it means for the verdict. ``paths`` are all paths that belong to the bundle."""

    def __init__(self, manifest: Manifest, ignored: Sequence[bytes], paths: Iterable[bytes]) -> None:
        homes = sorted({run.workingdir for run in manifest.runs})
        self._outputs = manifest.outputs
        self._names = {file.path for file in manifest.outputs}
        self._below = Prefixes(file.path.rstrip(b"/") + b"/" for file in manifest.outputs)
        self._folders = {file.path.rstrip(b"/") for file in manifest.outputs}
        self._internals = Internals(paths, homes)
        self._whole = {folder + b"/" for folder in self._folders if self._internals.has(folder + b"/")}
        self._ignored = Patterns([pattern for pattern in ignored if pattern not in STREAM_NAMES])
        self._streams = {name for name in ignored if name in STREAM_NAMES}

    def sort(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines with what each means for the verdict."""
        lines = list(lines)
        self._add_whole(line.path for line in lines if line.path is not None)
        for line in lines:
            scope = self.find(line)
            yield line if scope == line.scope else replace(line, scope=scope)

    def find(self, line: Line) -> Scope:
        """Return what a line means for the verdict."""
        return self.find_of(line.path, line.stream)

    def find_of(self, path: bytes | None, stream: str | None) -> Scope:
        """Return what a file, a stream or (neither) an exit status means for the verdict."""
        if path is None:
            return "ignored" if stream is not None and stream.encode() in self._streams else "output"
        if self._ignored.match(path):
            return "ignored"
        if not self._outputs:  # whatever is written counts, but for what nobody would call a result
            return "other" if self._internals.is_sure(path) else "output"
        return "output" if self.is_named(path) else "other"

    def is_named(self, path: bytes) -> bool:
        """Whether a path is an output, or lies in a folder that is one and in nothing that is a program's own.

        Where a folder is a program's own by its name, or holds nothing else, all in it is what its author named.
        """
        if path in self._names or path in self._folders:
            return True
        folder = self._below.find(path)
        return folder is not None and (folder in self._whole or not self._internals.has(path, len(folder) - 1))

    def _add_whole(self, paths: Iterable[bytes]) -> None:
        """Note the named folders in which there is nothing else than a program's own: their author means just that."""
        found: dict[bytes, bool] = {}
        for path in paths:
            folder = self._below.find(path)
            if folder is not None and path + b"/" != folder and not self._ignored.match(path):
                found[folder] = found.get(folder, False) or path in self._names or self.is_named(path)
        self._whole.update(folder for folder, has_others in found.items() if not has_others)

    def find_unwritten(self, lines: Iterable[Line], runs: Collection[str]) -> Iterator[Line]:
        """Yield a line for each output of the replayed runs that nothing was compared with."""
        compared = sorted({line.path for line in lines if line.path is not None})
        for file in self._outputs:
            run = next((run for run in file.runs or runs if run in runs), None)
            path = file.path.rstrip(b"/")
            places = (bisect_left(compared, path), bisect_left(compared, path + b"/"))
            near = [compared[place] for place in places if place < len(compared)]
            if run is not None and not any((one + b"/").startswith(path + b"/") for one in near):
                yield Line("unknown", run, file.path, NOT_WRITTEN, reasons=("not compared",))

    def find_folders(self, lines: Iterable[Line]) -> dict[bytes, bytes]:
        """Return the folder of a program's own under which each of the other files is counted."""
        paths = [line.path for line in lines if line.path is not None]
        found = {path: folder for path in paths for folder in [self._internals.find_folder(path)] if folder is not None}
        themselves = set(paths).intersection(found.values())
        return found | dict(zip(themselves, themselves, strict=True))

    def find_unused(self, asked: Iterable[bytes], lines: Sequence[Line]) -> Iterator[str]:
        """Yield a sentence for each pattern that matches nothing that was compared."""
        for pattern in asked:
            if pattern in STREAM_NAMES:
                used = any(line.stream is not None and line.stream.encode() == pattern for line in lines)
            else:
                used = any(map(Patterns([pattern]).match, (line.path for line in lines if line.path is not None)))
            if not used:
                yield f"--ignore {printable(pattern)} matches nothing that was compared"
