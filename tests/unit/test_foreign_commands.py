"""Every command on a machine that lacks what only Linux, or only Unix, has: it works, or says what it needs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from foreign_site import CHECKOUT, PROGRAM, announce_unpackers
from rtrace.cli.frame.commands import COMMANDS
from rtrace.record.history.opening import open_history
from synthetic_history import make_synthetic
from trace_builder import TraceBuilder

OLD = CHECKOUT / "fixtures/reprozip/03-c-program.rpz"
"""With a real trace."""
SWEEP: tuple[tuple[str, tuple[int, ...], str], ...] = (
    ("log", (0,), "take 1"),
    ("log --json --param --seed=2", (0,), '"--seed"'),
    ("show last", (0,), "residual"),
    ("show --json last~1", (0,), '"started"'),
    ("search residual", (0,), "standard output: step 2"),
    ("blame data", (1,), "no run"),
    ("diff last~1 last", (1,), "--seed: 1 -> 2"),
    ("diff --json last~1 last", (1,), '"format"'),
    ("annotate last -m because -t tagged", (0,), "annotated"),
    ("log --tag tagged", (0,), "because"),
    ("sync other", (0,), "3 sent"),
    ("import b.rpz", (1,), "without records"),
    ("import .rtrace", (0, 1), "imported"),
    ("import document.json", (0,), "imported 1 record"),
    ("forget last~1", (0,), "forgot"),
    ("figure --show plot.svg", (0,), "no stamp"),
    ("trace true", (125,), "only Linux can trace"),
    ("rerun --stale", (125,), "only Linux can run the runs"),
    ("repeat last", (125,), "only Linux can run a command again"),
    ("combine -d joined .rtrace", (125,), "only Linux can join"),
    ("pack new.rpz", (125,), "only Linux can pack"),
    ("info b.rpz", (0,), "run1"),
    ("list b.rpz", (0,), "/work/data"),
    ("extract b.rpz /work/data -o got", (0,), ""),
    ("check b.rpz", (0,), "is intact"),
    ("audit old.rpz", (0,), "nothing that looks like a secret"),
    ("drift b.rpz", (3,), "cannot be judged"),
    ("doctor", (0,), "chroot"),
    ("status b.rpz", (125,), "only Linux can tell"),
    ("replay b.rpz", (125,), "nothing here can replay it"),
    ("verify b.rpz", (125,), "nothing here can replay it"),
    ("verify --unpacker chroot b.rpz", (125,), "Linux only"),
    ("verify --unpacker vm b.rpz", (125,), "Linux only"),
    ("verify --unpacker docker b.rpz", (125,), ""),
    ("unpack proot b.rpz target", (125,), "Linux only"),
    ("unpack podman --no-build b.rpz other-context", (0,), "builds it"),
    ("unpack docker --no-build b.rpz context", (0,), "builds it"),
    ("replay context", (125,), ""),
    ("upload context", (125,), ""),
    ("download context", (125,), ""),
    ("reset context", (0, 125), ""),
    ("shell context", (125,), ""),
    ("targets", (0, 125), ""),
    ("targets --size --json", (0, 125), ""),
    ("destroy context", (0, 125), ""),
    ("cache list", (0,), "0 trees"),
    ("cache clear", (0,), "nothing to remove"),
    ("export --format reprozip b.rpz -o r.rpz", (0,), "for ReproZip"),
    ("export --format oci b.rpz -o image.tar", (0,), "docker load"),
    ("appendix --venue acm b.rpz", (0, 2, 125), ""),
    ("push b.rpz localhost:1/x", (125,), "localhost:1"),
    ("pull localhost:1/x", (125,), "localhost:1"),
    ("web --no-open --port 70000", (2,), ""),
    ("help pack", (0,), "Usage"),
    ("completion bash", (0,), "complete"),
    ("schema", (0,), "$schema"),
)
"""Words, the exit statuses that they may have, and what they say."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle, a trace directory and a figure, and a history of three runs."""
    maker = BundleMaker(tmp_path / "made", runnable=False)
    maker.file(b"/work/data", b"one\r\ntwo\n")
    maker.write(make_run(b"true"), results=(wrote(b"/work/out", b"x"),)).rename(tmp_path / "b.rpz")
    (tmp_path / "data").write_bytes(b"")
    shutil.copy(OLD, tmp_path / "old.rpz")
    building = TraceBuilder(tmp_path)
    building.begin()
    building.finish()
    history = open_history(str(tmp_path / "history"))
    for number in (0, 1, 2):
        history.add(make_synthetic(number))
    history.catalogue().close()
    (tmp_path / "document.json").write_text(json.dumps(make_synthetic(7)))
    (tmp_path / "plot.svg").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>')
    announce_unpackers(tmp_path / "site")
    return tmp_path


def sweep(platform: str, folder: Path) -> list[tuple[list[str], int, str]]:
    """Run all commands there, with no engine that could answer."""
    paths = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "RTRACE_DOCKER": "false",
        "RTRACE_PODMAN": "false",
        "RTRACE_HISTORY": str(folder / "history"),
        "RTRACE_CACHE": str(folder / "trees"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    given = "".join(json.dumps(words.split()) + "\n" for words, _, _ in SWEEP)
    argv = [sys.executable, str(PROGRAM), platform, "sweep"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder, env=environment, input=given)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_each_command_works_or_says_what_it_needs(platform: str, folder: Path) -> None:
    """None of them crashes, and nothing half is left."""
    wrong = []
    for (words, status, told), (_, statuses, expected) in zip(sweep(platform, folder), SWEEP, strict=True):
        crashed = any(sign in told for sign in ("Traceback", "a mistake in rtrace", "this needs what only Linux has"))
        if crashed or status not in statuses or expected not in told:
            wrong.append(f"{words} ended with {status}: {told}")
    assert not wrong, "\n".join(wrong)
    assert not [name for name in os.listdir(folder) if "incomplete" in name]


def test_no_command_is_left_out() -> None:
    """Each one is called at least once."""
    assert {words.split()[0] for words, _, _ in SWEEP} == COMMANDS.keys()
