"""The coverage report is the same wherever it is read: after tracing, in the manifest, in the bundle."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.manifest.reading.load import load

TALK = "import socket as s; s.create_connection(('127.0.0.1', {}))"
SERVERS = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in "ab"]  # no part of any run
FIRST, SECOND = (str(server.getsockname()[1]) for server in SERVERS)
PREFIX = "rtrace: not captured: "


def trace_talk(work: Path, address: str, *options: str) -> list[str]:
    """Trace a program that connects to an address; give the lines of the coverage report."""
    program = (sys.executable, "-S", "-c", TALK.format(address))
    done = run_rtrace("trace", *options, "--", *program, cwd=work)
    assert done.returncode == 0, done.stderr
    return told_by(done)


def told_by(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the notices among what a command said."""
    return [line.removeprefix(PREFIX) for line in done.stderr.decode().splitlines() if line.startswith(PREFIX)]


def told_by_manifest(work: Path) -> list[str]:
    """Return the notices of the manifest, in the words of the report."""
    return [f"{notice.what}; {notice.advice}" for notice in load(work / ".rtrace/manifest.yml").notices]


def told_by_bundle(work: Path) -> tuple[list[str], list[str]]:
    """Pack; give the notices that `rtrace pack` met, and those of `rtrace info`, with and without --json the same."""
    packed = run_rtrace("pack", "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    shown = run_rtrace("info", "bundle.rpz", cwd=work).stdout.decode().splitlines()
    notices = [line.removeprefix("not captured: ") for line in shown if line.startswith("not captured: ")]
    answer = json.loads(run_rtrace("info", "--json", "bundle.rpz", cwd=work).stdout)
    assert [f"{notice['what']}; {notice['advice']}" for notice in answer["notices"]] == notices
    return told_by(packed), notices


def test_report_is_the_same_everywhere(tmp_path: Path) -> None:
    """What the end of `trace` says is in the manifest and in `rtrace info`, word for word; packing adds nothing."""
    told = trace_talk(tmp_path, FIRST)
    assert [FIRST in line for line in told] == [True]
    assert told_by_manifest(tmp_path) == told
    assert told_by_bundle(tmp_path) == ([], told)


def test_silence_when_there_is_nothing_to_say(tmp_path: Path) -> None:
    """A run that is captured whole has no report: not after tracing, not in the manifest, not in the bundle."""
    done = run_rtrace("trace", "-q", "true", cwd=tmp_path)
    assert done.stderr == b""
    assert "notices" not in (tmp_path / ".rtrace/manifest.yml").read_text()
    assert told_by_bundle(tmp_path) == ([], [])


def test_report_of_a_further_run_has_all_of_it(tmp_path: Path) -> None:
    """After `--continue` the report is that of all runs, and a notice that a person added to the manifest stays."""
    first = trace_talk(tmp_path, FIRST)
    manifest = tmp_path / ".rtrace/manifest.yml"
    manifest.write_text(manifest.read_text() + '  - {kind: "mine", what: "the licence server", advice: "ask me"}\n')
    both = trace_talk(tmp_path, SECOND, "--continue")
    assert both[0] == first[0]
    assert SECOND in both[1]
    assert both[2:] == ["the licence server; ask me"]
    assert told_by_manifest(tmp_path) == both
    assert told_by_bundle(tmp_path) == ([], both)


@pytest.mark.parametrize("edit", ["taken out", "emptied"])
def test_editing_hides_nothing(edit: str, tmp_path: Path) -> None:
    """A notice that was taken out of the manifest is in the bundle all the same."""
    told = trace_talk(tmp_path, FIRST)
    manifest = tmp_path / ".rtrace/manifest.yml"
    text = manifest.read_text()
    start = text.index("notices:")
    manifest.write_text(text[:start] + ("" if edit == "taken out" else "notices: []\n"))
    assert told_by_manifest(tmp_path) == []
    assert told_by_bundle(tmp_path) == ([], told)


def test_notices_of_a_run_that_is_left_out_are_not_told(tmp_path: Path) -> None:
    """A run that a person took out of the manifest takes its notices along."""
    trace_talk(tmp_path, FIRST)
    trace_talk(tmp_path, SECOND, "--continue")
    manifest = tmp_path / ".rtrace/manifest.yml"
    text = manifest.read_text()
    second = text.index("  - id: run2")
    end = min(place for place in (text.find(mark, second) for mark in ("\n\n", "\n#")) if place > 0)
    manifest.write_text(text[:second] + text[end:].replace("run1, run2", "run1")[: text[end:].index("notices:")])
    _, told = told_by_bundle(tmp_path)
    assert [FIRST in line for line in told] == [True]


def test_what_packing_meets_is_added(tmp_path: Path) -> None:
    """A file that changed after the trace is told by `rtrace pack` and, after the trace's notices, by `rtrace info`."""
    (tmp_path / "data").write_text("old")
    done = run_rtrace(
        "trace", "--", sys.executable, "-S", "-c", f"open('data').read(); {TALK.format(FIRST)}", cwd=tmp_path
    )
    traced = told_by(done)
    (tmp_path / "data").write_text("newer")
    packed = run_rtrace("pack", "bundle.rpz", cwd=tmp_path)
    added = f"{tmp_path}/data changed after the trace: it was packed as it is now; trace again to have it as the run"
    assert added in packed.stderr.decode()
    shown = run_rtrace("info", "bundle.rpz", cwd=tmp_path).stdout.decode().splitlines()
    told = [line.removeprefix("not captured: ") for line in shown if line.startswith("not captured: ")]
    assert told[:1] == traced
    assert [line.startswith(added) for line in told[1:]] == [True]
    assert told_by_manifest(tmp_path) == traced
