"""Sumatra's tutorial, done with rtrace command for command as docs/how-to/from-sumatra.md has it."""

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from rtrace.record.document import Record

pytestmark = pytest.mark.requires("git")

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/from-sumatra.md"
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = {"trace", "log", "show", "annotate", "diff", "repeat", "blame", "search", "figure", "forget", "pack"}
"""What the page's blocks have to call, besides the page in a browser."""
DIFFERENT = 1


class Tutorial:
    """A folder in which the blocks of the page are typed, with a history of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir()
        (programs / "rtrace").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rtrace "$@"\n')
        (programs / "rtrace").chmod(0o755)
        self.history = folder / "history"
        self.env = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "RTRACE_HISTORY": str(self.history),
        }  # fmt: skip
        self.env.pop("RTRACE_PROJECT", None)

    @property
    def project(self) -> Path:
        """The folder that the first block makes."""
        return self.folder / "growth"

    def type(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block with bash, where the block before it has ended."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.project if self.project.exists() else self.folder,
            env=self.env, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, timeout=300,
        )  # fmt: skip

    def read_records(self) -> list[Record]:
        """Return the records in the history, the oldest first."""
        records: list[Record] = [json.loads(path.read_bytes()) for path in self.history.rglob("records/*/*.json")]
        return sorted(records, key=lambda record: record["id"])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tutorial, dict[str, str]]:
    """The tutorial when every block was typed, and what each printed, by the block."""
    tutorial = Tutorial(tmp_path_factory.mktemp("tutorial"))
    printed = {}
    for block in BLOCKS.findall(PAGE.read_text("utf-8")):
        typed = tutorial.type(block)
        expected = DIFFERENT if block.startswith("rtrace diff") else 0
        assert typed.returncode == expected, f"{block}\n{typed.stdout}\n{typed.stderr}"
        printed[block] = typed.stdout + typed.stderr
    return tutorial, printed


def find(printed: dict[str, str], start: str) -> str:
    """Return what the one block printed that begins like this."""
    (text,) = (text for block, text in printed.items() if block.startswith(start))
    return text


def test_the_blocks_call_what_sumatra_has() -> None:
    """Each command of Sumatra's tutorial has its counterpart in a block of the page."""
    called = set(re.findall(r"^rtrace ([a-z]+)", "".join(BLOCKS.findall(PAGE.read_text("utf-8"))), re.MULTILINE))
    assert called == COMMANDS


def test_the_records(done: tuple[Tutorial, dict[str, str]]) -> None:
    """The history has the runs with labels, reasons, outcomes, parameters and results, and not the forgotten one."""
    tutorial, _printed = done
    second, third, repetition = tutorial.read_records()
    assert [second["label"], third["label"], repetition["parent"]] == [None, "haggling", third["id"]]
    assert second["reason"] == "test effect of a smaller time constant"
    assert third["outcome"] == "Eureka! Nobel prize here we come."
    for record in (second, third, repetition):
        assert (record["status"], record["exit_code"]) == ("succeeded", 0)
        assert record["project"] == {"name": "growth", "description": None, "url": None}
        (repository,) = record["repositories"]
        assert (repository["dirty"], repository["path"]) == (False, str(tutorial.project))
        assert {os.path.basename(file["path"]) for file in record["outputs"]} == {"levels.csv", "levels.svg"}
    values = {(fact["name"], fact["value"]) for fact in second["parameters"]}
    assert {("tau_m", 20), ("tau_m", 10.0), ("steps", 10)} <= values
    assert repetition["verdict"] is not None
    assert repetition["verdict"]["verdict"] == "same"


def test_what_the_commands_tell(done: tuple[Tutorial, dict[str, str]]) -> None:
    """The list has the run, the comparison its parameters, and the file that was renamed its run."""
    _tutorial, printed = done
    assert "main.py" in find(printed, "rtrace trace python3")
    assert "Figure 6" in find(printed, "rtrace annotate last --outcome")
    difference = find(printed, "rtrace diff")
    assert "tau_m" in difference
    assert "levels.csv" in difference
    found = find(printed, "cp Data/levels.csv")
    assert "main.py romans.param" in found
    assert "Eureka! Nobel prize here we come." in found
    assert "same" in find(printed, "rtrace repeat")


def test_the_figure_in_the_paper(done: tuple[Tutorial, dict[str, str]]) -> None:
    """The paper's figure is known by its run and by the digest that TeX will compute."""
    tutorial, _printed = done
    third = next(record for record in tutorial.read_records() if record["label"] == "haggling")
    (figure,) = (file for file in third["outputs"] if file["path"].endswith(".svg"))
    assert str(figure["md5"]).lower() in (tutorial.project / "paper/rtrace-figures.tex").read_text().lower()
    assert (tutorial.project / "paper/rtrace.sty").exists()


def test_what_is_taken_along(done: tuple[Tutorial, dict[str, str]]) -> None:
    """The dump has all records whole, and the bundle is there."""
    tutorial, _printed = done
    lines = (tutorial.project / "records.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {record["id"] for record in tutorial.read_records()}
    assert list(tutorial.project.glob("*.rpz"))


@contextlib.contextmanager
def serve(tutorial: Tutorial) -> Iterator[str]:
    """Start `rtrace web` and yield the address that it prints; end it by Ctrl-C, as a person does."""
    server = subprocess.Popen(
        [sys.executable, "-m", "rtrace", "web", "--no-open"],
        cwd=tutorial.project, env=tutorial.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        address = None
        for line in server.stderr:
            address = re.search(r"http://\S+", line)
            if address:
                break
        assert address, "the server has said no address"
        yield address[0]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        if server.stderr:
            server.stderr.close()


def test_the_page_in_a_browser(done: tuple[Tutorial, dict[str, str]]) -> None:
    """The page lists the runs, and shows one of them with its reason and its parameters."""
    tutorial, _printed = done
    third = next(record for record in tutorial.read_records() if record["label"] == "haggling")
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with serve(tutorial) as address:
        with browser.open(address, timeout=60) as answer:
            page, base = answer.read().decode(), answer.geturl()
        assert "haggling" in page
        links = re.findall(r'href="([^"]*' + third["id"] + r'[^"]*)"', page)
        assert links
        with browser.open(urljoin(base, links[0]), timeout=60) as answer:
            page = answer.read().decode()
    assert "are three or four steps worth it?" in page
    assert "tau_m" in page
