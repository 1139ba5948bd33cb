"""Many files are searched for secrets by helper processes: with the same result, and none of them left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rtrace.privacy.file_search import Found, SearchJob, SecretSearch
from rtrace.privacy.helpers import search_files
from secret_planting import Planter

KNOWN = b"a value of 33 bytes, known already"
NOTE = "a line of a note that nobody reads, and that holds nothing\n"
SIZE = 4 << 20
LAST_LINE = SIZE // len(NOTE) + 1

WORKER = """
import signal
import sys
from rtrace.privacy.file_search import SearchJob, SecretSearch
from rtrace.privacy import helpers as search_helpers
search_helpers.cores = lambda: 2
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
jobs = [SearchJob(sys.argv[1].encode(), sys.argv[1].encode())] * 1000
searched = search_helpers.search_files(SecretSearch(), jobs, [4 << 20] * 1000)
next(searched)
print("found", flush=True)
list(searched)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of 4 MiB, more than one helper's share: with secrets at the end, without, binary, of an odd name, gone."""
    folder = tmp_path_factory.mktemp("files")
    text = (NOTE * (SIZE // len(NOTE))).encode()
    paths = [folder / f"file{number}" for number in range(30)]
    for number, path in enumerate(paths):
        secret = Planter().make_up("gh~p_{36}")[0].encode()
        begin = (b"", b"", b"", b"machine x password hunter2\n", b"\0")[number % 5]
        end = (b"", secret + b"\n" + secret, b"x " + KNOWN)[number % 3]
        path.write_bytes(begin + text + end)
    odd = folder / os.fsdecode(b"odd\xff\n name")
    paths[1].rename(odd)
    paths[1] = odd
    paths[7].unlink()
    return paths


def make_jobs(search: SecretSearch, files: list[Path]) -> list[SearchJob]:
    """Ask for everything in each file that is looked for in a .netrc."""
    rules = frozenset(rule for rule in search.rules if rule.id == "netrc")
    return [search.make_job(os.fsencode(path), os.fsencode(path), rules) for path in files]


def find_helpers(parent: int) -> list[int]:
    """Return the processes that a process has started and that have not ended."""
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        return [int(word) for word in file.read().split()]


class Begun(NamedTuple):
    """A search that has found what is in the first file, and the helpers that it has."""

    search: SecretSearch
    jobs: list[SearchJob]
    searched: Iterator[Found | None]
    found: list[Found | None]
    helpers: set[int]


def begin(files: list[Path], cores: int, monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Begin to search files on a machine of so many cores."""
    monkeypatch.setattr("rtrace.privacy.helpers.cores", lambda: cores)
    search = SecretSearch([KNOWN])
    jobs = make_jobs(search, files)
    before = set(find_helpers(os.getpid()))
    searched = search_files(search, jobs, [SIZE] * len(files))
    found = [next(searched)]
    return Begun(search, jobs, searched, found, set(find_helpers(os.getpid())) - before)


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Wait for something for at most half a minute."""
    end = time.monotonic() + 30
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def test_helpers_find_what_is_found_without_them(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file gets its own answer, in order; no helper is left afterwards."""
    before = find_helpers(os.getpid())
    search, jobs, searched, found, helpers = begin(files, 3, monkeypatch)
    assert len(helpers) == 3
    found += searched
    assert found == list(map(search.look, jobs))
    names = {number: rule.id for number, rule in enumerate(search.rules)}
    told = [None if one is None else {names[number]: place for number, place in one.lines.items()} for one in found]
    assert told[1] == {"github-token": (LAST_LINE, 2)}
    assert told[2] == {"known-secret": (LAST_LINE, 1)}
    assert told[3] == {"netrc": (1, 1)}
    assert told[4] == {"github-token": (0, 1)}
    assert [told[number] for number in (0, 7, 9)] == [None] * 3
    assert find_helpers(os.getpid()) == before


def test_what_a_killed_helper_leaves_is_done_without_it(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that the kernel ends (out of memory) costs time and no secret."""
    search, jobs, searched, found, helpers = begin(files, 2, monkeypatch)
    for helper in helpers:
        os.kill(helper, signal.SIGKILL)
    found += searched
    assert found == list(map(search.look, jobs))


def test_without_room_for_helpers_all_is_done_without_them(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no temporary file can be made, files are searched one after the other."""
    monkeypatch.setattr("rtrace.privacy.helpers.cores", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(files[0].parent / "no such folder"))
    search = SecretSearch([KNOWN])
    jobs = make_jobs(search, files)
    assert list(search_files(search, jobs, [SIZE] * len(files))) == list(map(search.look, jobs))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_helpers_end_with_their_parent(files: list[Path], number: signal.Signals) -> None:
    """Whoever ends a pack has no processes left of it, and hears nothing of them."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, files[0]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == "found\n"
        helpers = find_helpers(parent.pid)
        assert helpers
        parent.send_signal(number)
        told = parent.stderr.read()  # to the end: the helpers have it too
    assert wait_until(lambda: not any(Path(f"/proc/{helper}").exists() for helper in helpers))
    assert told.count("Traceback") == (number == signal.SIGINT)
