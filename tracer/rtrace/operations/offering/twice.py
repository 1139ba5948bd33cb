"""`rtrace trace --twice`: the command run again beside its results, and the manifest told what differs."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.folders import write_whole
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render_comparison
from rtrace.manifest.scalars import byte_string, text
from rtrace.operations.offering.offers import Offer, find_offer
from rtrace.printable import count, format_size, printable, printable_text
from rtrace.verify.judging.apart import Apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtrace.manifest.model import Manifest, Run
    from rtrace.trace.directory import TraceDirectory

_LARGEST = 256 << 20
"""Bytes of an output of which a second one is looked at."""
_STREAMS = {1: "stdout", 2: "stderr"}


class Difference(NamedTuple):
    """What differs between two runs: an output by its path or a stream, and the rule that is offered for it."""

    path: bytes | None
    stream: str | None
    offer: Offer

    @property
    def sentence(self) -> str:
        """What differs, and whether a rule is offered."""
        what = printable(self.path) if self.path is not None else f"its {self.stream}"
        offered = "a rule for it is offered in the manifest" if self.offer.compare else "no rule would make it alike"
        return f"run twice, {what} differs ({printable_text(self.offer.where)}); {offered}"


class Compared(NamedTuple):
    """What became of the results of two runs: what differs, sentences on what could not be compared, the rest."""

    differences: list[Difference]
    unjudged: list[str]
    alike: int


def run_twice(directory: TraceDirectory, argv: Sequence[bytes]) -> list[str]:
    """Run the last traced command again, offer rules in the manifest, and return what is to be told, a sentence each.

    What the first run left is out of the way meanwhile, and back in its place afterwards.
    """
    manifest = load(directory.manifest)
    run = manifest.runs[-1]
    outputs = [output.path for output in manifest.outputs if run.id in output.runs]
    changed = sorted(set(outputs) & {file.path for file in manifest.inputs})
    if changed:
        what = printable(changed[0])
        return [f"--twice: the command changes its own input {what}, so a second run would begin with something else"]
    files = [path for path in outputs if os.path.isfile(path) and not os.path.islink(path)]
    with tempfile.TemporaryDirectory(prefix="rtrace-twice-") as scratch:
        folder = Path(scratch)
        with _put_aside(files) as aside:
            status = _run(argv, folder)
            sentences = []
            if status != run.exit_status:
                sentences.append(f"--twice: the second run ended with {status}, the first one with {run.exit_status}")
            compared = _compare(directory, run, aside, folder)
        write_offers(directory, manifest, run, compared.differences)
    sentences += compared.unjudged
    sentences += [difference.sentence for difference in compared.differences]
    if not sentences:
        alike = f"and {'is' if compared.alike == 1 else 'are'} alike" if compared.alike else "as nothing was written"
        sentences.append(f"run twice: {count(compared.alike, 'result')} compared, {alike}")
    return sentences


@contextmanager
def _put_aside(paths: Sequence[bytes]) -> Iterator[dict[bytes, bytes]]:
    """Rename files in their folders for a while, and yield the new names by the old ones."""
    aside: dict[bytes, bytes] = {}
    try:
        for path in paths:
            name = path + b".rtrace-first"
            if not os.path.lexists(name):
                os.rename(path, name)
                aside[path] = name
        yield aside
    finally:
        for path, name in aside.items():
            os.replace(name, path)


def _run(argv: Sequence[bytes], folder: Path) -> int:
    """Run a command as before, but that it reads nothing and prints into files; return its status."""
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _compare(directory: TraceDirectory, run: Run, aside: dict[bytes, bytes], folder: Path) -> Compared:
    found = Compared([], [], 0)
    pairs: list[tuple[bytes | None, str | None, Path, Path]] = [
        (path, None, Path(os.fsdecode(first)), Path(os.fsdecode(path))) for path, first in aside.items()
    ]
    streams = _find_streams(directory, run, folder, found.unjudged)
    pairs += [(None, name, first, folder / name) for name, first in streams]
    with Apart() as apart:
        for path, stream, first, second in pairs:
            what = printable(path) if path is not None else f"its {stream}"
            if not second.is_file():
                found.unjudged.append(f"run twice, {what} was not written the second time")
                continue
            if max(first.stat().st_size, second.stat().st_size) > _LARGEST:
                found.unjudged.append(f"run twice, {what} was not compared: it is larger than {format_size(_LARGEST)}")
                continue
            same = first.read_bytes() == second.read_bytes()
            name = (path or b"").rpartition(b"/")[2]
            offer = None if same else find_offer(partial(apart.judge, first, second, name=name), first, second)
            if offer is not None:
                found.differences.append(Difference(path, stream, offer))
            else:
                found = found._replace(alike=found.alike + 1)
    return found


def _find_streams(directory: TraceDirectory, run: Run, folder: Path, unjudged: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield the streams of the last run that are known as a whole, and where they are; copies go into a folder.

    They may have gone into a file that this process may not open, or that is gone: then a sentence says so.
    """
    with closing(sqlite3.connect(directory.database)) as connection:
        rows = connection.execute(
            "SELECT descriptor, file, kept, size, path, begin, end FROM streams WHERE run = (SELECT max(id) FROM runs)"
        ).fetchall()
    for descriptor, file, kept, size, path, begin, end in rows:
        name = _STREAMS.get(descriptor)
        if name is None or getattr(run, name) is None:
            continue
        if file is not None and kept == size:
            yield name, directory.path / "streams" / os.fsdecode(file)
        elif path is not None and begin is not None and end is not None and end - begin <= _LARGEST:
            part = folder / f"first-{name}"
            try:
                with open(path, "rb") as source:
                    source.seek(begin)
                    part.write_bytes(source.read(end - begin))
            except OSError as error:
                unjudged.append(f"run twice, its {name} was not compared: {printable(path)}: {error.strerror}")
                continue
            yield name, part


def write_offers(directory: TraceDirectory, manifest: Manifest, run: Run, differences: Sequence[Difference]) -> None:
    """Put a comment below the line of each output that differs: its author decides."""
    if not differences:
        return
    lines = directory.manifest.read_text("utf-8").splitlines(keepends=True)
    for difference in differences:
        place = _find_line(lines, difference, run)
        if place is not None:
            indent = re.match(" *", lines[place])
            lines.insert(place + 1, f"{indent[0] if indent else ''}# {_say(difference)}\n")
    text_now = "".join(lines)
    if load(text_now) == manifest:
        write_whole(directory.manifest, text_now.encode())


def _find_line(lines: Sequence[str], difference: Difference, run: Run) -> int | None:
    if difference.path is not None:
        wanted = f"path: {byte_string(difference.path)}, runs: ["
        begin = next((at for at, line in enumerate(lines) if line.startswith("outputs:")), 0)
        return next((at for at in range(begin, len(lines)) if wanted in lines[at]), None)
    begin = next((at for at, line in enumerate(lines) if line.startswith(f"  - id: {text(run.id)}")), 0)
    return next((at for at in range(begin, len(lines)) if lines[at].startswith(f"    {difference.stream}: {{")), None)


def _say(difference: Difference) -> str:
    where = printable_text(difference.offer.where)
    if difference.offer.compare is None:
        return f"Two runs differ here ({where}), in more than a rule could leave out."
    rule = "".join(render_comparison(difference.offer.compare))
    return f"Two runs differ here ({where}). If that does not matter, add to the braces: {rule}"
