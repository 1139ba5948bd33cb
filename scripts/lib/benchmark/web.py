"""Show how long the pages of `rtrace web` take with 10,000 runs in the history.

`scripts/bench --web`: the index is made beforehand, as by any command on the history. The first page is timed from
the start of the command until all of it is there; others from the request on, in a server that runs. Medians of the
rounds.
"""

import http.cookiejar
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS, INPUTS, OUTPUTS = 10_000, 80, 20
_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+/\?token=\S+")
_RUN = re.compile(rb"/run/[0-9a-f-]{36}")


class Browser:
    """What fetches pages, with the cookie that lets it in."""

    def __init__(self, address: str) -> None:
        """Arrive with the token: what comes back is the first page."""
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._base = address.partition("?")[0]
        self.first = self._read(address)

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the seconds that a page took, and the page."""
        begin = time.perf_counter()
        page = self._read(self._base + path.lstrip("/"))
        return time.perf_counter() - begin, page

    def _read(self, address: str) -> bytes:
        with self._opener.open(address) as response:
            page: bytes = response.read()
        return page


@contextmanager
def serve(rtrace: Path, place: Path) -> Iterator[str]:
    """Start the server, and yield the address that it prints."""
    command = [str(rtrace), "web", "--no-open", "--history", str(place)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None  # noqa: S101 -- for the type
        try:
            found = None
            while found is None:
                line = process.stderr.readline()
                if not line:
                    sys.exit("scripts/bench: `rtrace web` ended")
                found = _ADDRESS.search(line)
            yield found[0].decode()
        finally:
            process.send_signal(signal.SIGINT)


def measure(checkout: Path, *, rounds: int, quick: bool) -> dict[str, list[float]]:
    """Return the seconds that each page took."""
    sys.path.insert(0, str(checkout / "tests/support"))
    from synthetic_history import fill_history

    rtrace = checkout / ".venv/bin/rtrace"
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="rtrace-bench-") as folder:
        place = Path(folder)
        fill_history(place, range(RUNS // 10 if quick else RUNS), inputs=INPUTS, outputs=OUTPUTS)
        with serve(rtrace, place) as address:  # the first one makes the index
            Browser(address)
        for _ in range(rounds):
            begin = time.perf_counter()
            with serve(rtrace, place) as address:
                browser = Browser(address)
                seconds.setdefault("start, and the first page", []).append(time.perf_counter() - begin)
                run = _RUN.findall(browser.first)[0].decode()
                for name, path in (
                    ("the list", "/"),
                    ("the last page of the list", f"/?page={(RUNS // 10 if quick else RUNS) // 50}"),
                    ("search for a word", "/?q=heatwave"),
                    ("a filter by parameter", "/?param=seed%3D77"),
                    ("one run", run),
                    ("its graph", f"{run}/graph"),
                    ("two runs compared", "/compare?run=last&run=last~1"),
                ):
                    seconds.setdefault(name, []).append(browser.get(path)[0])
    return seconds


def show(checkout: Path, *, rounds: int, quick: bool) -> None:
    """Measure, and print the table."""
    print("| page | time |", "|---|---|", sep="\n")
    for name, times in measure(checkout, rounds=rounds, quick=quick).items():
        print(f"| {name} | {statistics.median(times):.3f} s |")
