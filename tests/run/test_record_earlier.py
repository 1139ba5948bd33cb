"""What the record of a run says was not committed: the state before the run, not what the run has made of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repositories import make_repository, run_git
from rtrace.record.document import RepositoryFact

pytestmark = pytest.mark.requires("git")

SCRIPT = """\
cat appended >/dev/null
echo more >>appended
echo new >replaced
echo new >made
rm -f removed
sed -i s/one/two/ edited
"""


def trace(folder: Path, history: Path) -> RepositoryFact:
    """Trace the script and return what the record says of its repository."""
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", "trace", "--overwrite", "--", "sh", "run.sh"],
        cwd=folder, env={**os.environ, "RTRACE_HISTORY": str(history)}, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    (document,) = (folder / ".rtrace/records").glob("*.json")
    (fact,) = json.loads(document.read_bytes())["repositories"]
    return fact  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository in which results are committed beside the script that makes them."""
    folder = make_repository(tmp_path / "project")
    for name in ("appended", "replaced", "removed", "edited"):
        (folder / name).write_text("one\n")
    (folder / "run.sh").write_text(SCRIPT)
    (folder / ".gitignore").write_text(".rtrace*\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "results")
    return folder


def test_a_run_on_a_clean_tree(folder: Path) -> None:
    """A run that changes, replaces, makes and removes files under version control was a run of committed code."""
    fact = trace(folder, folder.parent / "history")
    assert run_git(folder, "status", "--porcelain")  # git itself sees what the run has done
    assert (fact["dirty"], fact["diff"], fact["changed"], fact["problem"]) == (False, "", [], None)


def test_a_run_on_a_changed_tree(folder: Path) -> None:
    """What a person has changed is in the diff, also of a file that the run goes on to change."""
    for name in ("appended", "run.sh"):
        with (folder / name).open("a") as file:
            file.write("# by a person\n")
    fact = trace(folder, folder.parent / "history")
    assert {file["path"]: file["state"] for file in fact["changed"]} == {"appended": "modified", "run.sh": "modified"}
    assert str(fact["diff"]).count("+# by a person\n") == 2
    assert "more" not in str(fact["diff"]).replace("echo more", "")
