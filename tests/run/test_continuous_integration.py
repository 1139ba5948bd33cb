"""What the documentation gives to CI services is valid for them, and its commands do what they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from observing import run_rtrace

CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
ACTION = CHECKOUT / ".github/actions/verify/action.yml"
PAGE = CHECKOUT / "docs/how-to/continuous-integration.md"
PROGRAM = "import sys\nopen('result.txt', 'w').write('4.5\\n')\nprint(sys.version_info[0])\n"


def read_snippets() -> list[str]:
    """Return the two snippets of the page: GitHub's workflow and GitLab's."""
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "name, schema", [("action", "github-actions"), ("workflow", "github-workflows"), ("gitlab", "gitlab-ci")]
)
def test_files_are_valid_for_their_services(name: str, schema: str, tmp_path: Path) -> None:
    """The services' published schemas accept the action and both snippets, and refuse one with a wrong key."""
    workflow, gitlab = read_snippets()
    text = {"action": ACTION.read_text("utf-8"), "workflow": workflow, "gitlab": gitlab}[name]
    file = tmp_path / f"{name}.yml"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    file.write_text(text)
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    file.write_text(re.sub(r"^( *)(runs|on|script):", r"\1wrong:", text, flags=re.MULTILINE))
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with one output, in a folder that is a workspace."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "program.py").write_text(PROGRAM)
    for words in (("trace", "-q", "python3", "program.py"), ("pack", "-q", "paper.rpz")):
        done = run_rtrace(*words, cwd=workspace)
        assert done.returncode == 0, done.stderr
    (workspace / "result.txt").unlink()
    return workspace / "paper.rpz"


def run_script(script: str, folder: Path, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step of a service with bash, as that does."""
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    launcher = programs / "rtrace"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rtrace "$@"\n')
    launcher.chmod(0o755)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def find_step() -> str:
    """Return the script of the action that verifies."""
    steps = yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("name") == "Verify"]
    assert "${{" not in script
    return str(script)


def test_action_verifies(bundle: Path, tmp_path: Path) -> None:
    """The action's step writes both reports and passes; options are words, and what is no option is never run."""
    given = {"BUNDLE": bundle.name, "PAGE": "page of it.html", "JUNIT": "verify.xml"}
    done = run_script(find_step(), bundle.parent, tmp_path, OPTIONS="", **given)
    assert done.returncode == 0, done.stderr
    assert (bundle.parent / "page of it.html").stat().st_size > 0
    suites = ET.parse(bundle.parent / "verify.xml").getroot()  # noqa: S314 - written by rtrace just now
    assert list(suites.iter("testcase"))
    assert not list(suites.iter("failure"))
    refused = run_script(find_step(), bundle.parent, tmp_path, OPTIONS="--strict $(touch made); touch made", **given)
    assert refused.returncode != 0
    assert not (bundle.parent / "made").exists()


def test_gitlab_sees_a_difference(bundle: Path, tmp_path: Path) -> None:
    """The script of GitLab's job fails with 1 for a program that answers otherwise, and the XML tells which output."""
    program = bundle.parent / "program.py"
    program.write_text("import os\nopen('result.txt', 'w').write(os.urandom(8).hex())\n")
    run_rtrace("trace", "-q", "--overwrite", "python3", "program.py", cwd=bundle.parent)
    bundle.unlink()
    assert run_rtrace("pack", "-q", "paper.rpz", cwd=bundle.parent).returncode == 0
    install, verify = yaml.safe_load(read_snippets()[1])["verify"]["script"]
    assert install.startswith("pip install ")
    done = run_script(verify, bundle.parent, tmp_path)
    assert done.returncode == 1, done.stderr
    cases = ET.parse(bundle.parent / "verify.xml").iter("testcase")  # noqa: S314
    assert [case.get("name", "").endswith("result.txt") for case in cases if case.find("failure") is not None] == [True]
