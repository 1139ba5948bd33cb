"""Searching many files for secrets on all cores: by helper processes, where there is enough to do for them.

A helper reads lines of JSON from a file: the module search path, what to look for, then chunks of jobs. It answers each
chunk with a line: of the jobs in which something was found, their numbers in it and what. It ends with its parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from rtrace.bundle.data.archive import cores
from rtrace.debugging import debug
from rtrace.files.workspaces import temporary_folder
from rtrace.privacy.file_search import Found, SearchJob, SecretSearch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

_MOST_HELPERS = 8
_CHUNK = 256
_CHUNK_SIZE = 8 << 20
_A_FILE = 8 << 10
"""Bytes that can be searched in the time that opening a file takes."""
_WORTH_IT = 96 << 20
"""Bytes, with _A_FILE for each file, from which on helpers begin to save more time than they take to start."""
_START = (
    "import json, sys; lines = open(0, 'rb'); sys.path[:] = json.loads(next(lines));"
    " from rtrace.privacy.helpers import help_searching; help_searching(lines)"
)


def search_files(
    search: SecretSearch, jobs: Sequence[SearchJob], sizes: Sequence[int]
) -> Generator[Found | None, None, None]:
    """Yield what is found in each file, in their order; ``sizes`` are the approximate sizes of the files, in bytes.

    What a helper that dies leaves undone is done here; so is everything if there can be no helpers.
    """
    chunks, weights = _cut(sizes)
    number = min(cores(), _MOST_HELPERS, len(chunks)) if sum(weights) >= _WORTH_IT and sys.executable else 0
    debug(__name__, "%d files in %d chunks are searched by %d helpers", len(jobs), len(chunks), number)
    if number <= 1:
        yield from map(search.look, jobs)
        return
    loads = [0] * number
    shares: list[list[slice]] = [[] for _ in loads]
    order = []
    for chunk, weight in zip(chunks, weights, strict=True):
        least = loads.index(min(loads))
        loads[least] += weight
        shares[least].append(chunk)
        order.append(least)
    with ExitStack() as stack:
        try:
            helpers = [
                stack.enter_context(closing(_Helper(search, [jobs[chunk] for chunk in share]))) for share in shares
            ]
        except OSError as error:  # no room for their lists, or no further process
            debug(__name__, "no helpers: %s", error)
            yield from map(search.look, jobs)
            return
        for chunk, which in zip(chunks, order, strict=True):
            answer = helpers[which].read()
            if answer is None:
                debug(__name__, "helper %d has died: what it leaves is searched here", which)
                yield from map(search.look, jobs[chunk])
            else:
                yield from map(answer.get, range(chunk.stop - chunk.start))


def _cut(sizes: Sequence[int]) -> tuple[list[slice], list[int]]:
    """Cut a list of files into chunks, each with the work that it is."""
    chunks, weights = [], []
    start = weight = 0
    for number, size in enumerate(sizes, 1):
        weight += size + _A_FILE
        if number - start == _CHUNK or weight >= _CHUNK_SIZE or number == len(sizes):
            chunks.append(slice(start, number))
            weights.append(weight)
            start, weight = number, 0
    return chunks, weights


class _Helper:
    """A process that searches some chunks of files."""

    def __init__(self, search: SecretSearch, chunks: Sequence[Sequence[SearchJob]]) -> None:
        with tempfile.TemporaryFile(dir=temporary_folder()) as tasks:
            known = [value.hex() for value in search.known]
            lines = [
                sys.path,
                [search.anew, known],
                *([_show_job(job) for job in jobs] for jobs in chunks),
            ]
            tasks.writelines(json.dumps(line).encode() + b"\n" for line in lines)
            tasks.seek(0)
            # In a session of its own: what interrupts its parent from the keyboard is not its to tell of.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START], stdin=tasks, stdout=subprocess.PIPE, start_new_session=True
            )

    def read(self) -> dict[int, Found] | None:
        """Return what was found in the next chunk, by the number of the file in it; None if the helper has died."""
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line.endswith(b"\n"):
            return None
        return {number: _read_found(*found) for number, *found in json.loads(line)}

    def close(self) -> None:
        """End the process if it has not ended by itself."""
        self._process.kill()
        self._process.communicate()


def help_searching(lines: Iterator[bytes]) -> None:
    """Run as a helper: answer each chunk of jobs on file descriptor 1, until there are no more or nobody reads it."""
    anew, known = json.loads(next(lines))
    search = SecretSearch(tuple(map(bytes.fromhex, known)), anew=anew)
    for line in lines:
        answers = []
        for number, (source, path, *special) in enumerate(json.loads(line)):
            found = search.look(SearchJob(os.fsencode(source), os.fsencode(path or source), tuple(special)))
            if found is not None:
                answers.append((number, *_show_found(found)))
        answer = json.dumps(answers).encode() + b"\n"
        try:
            while answer:
                answer = answer[os.write(1, answer) :]
        except BrokenPipeError:
            return


def _show_job(job: SearchJob) -> list[str | int]:
    """Return a job as a list for JSON, in short: most files are searched in their own place."""
    return [os.fsdecode(job.source), "" if job.path == job.source else os.fsdecode(job.path), *job.special]


def _show_found(found: Found) -> tuple[object, ...]:
    """Return what was found in a file as a list for JSON; the inverse of _read_found."""
    return (
        [(rule, *place) for rule, place in found.lines.items()],
        found.secrets,
        [(rule, member.hex(), count) for rule, (member, count) in found.inside.items()],
        [value.hex() for value in found.values],
        found.unsearched,
    )


def _read_found(
    lines: list[tuple[int, int, int]],
    secrets: int,
    inside: list[tuple[int, str, int]],
    values: list[str],
    unsearched: str,
) -> Found:
    return Found(
        {rule: (first, number) for rule, first, number in lines},
        secrets,
        {rule: (bytes.fromhex(member), number) for rule, member, number in inside},
        tuple(map(bytes.fromhex, values)),
        unsearched,
    )
