"""The sdist and the wheel: what they hold, and that a wheel alone is a working rtrace."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from rtrace.cli.frame.commands import COMMANDS

# Installing fetches the dependencies from the package index, and everything is built once: one worker does it all.
pytestmark = pytest.mark.xdist_group("packaging")

LIST_UNPACKERS = """\
from importlib.metadata import entry_points
for point in sorted(entry_points(group="rtrace.unpackers"), key=lambda point: point.name):
    print(point.name, point.load().name)
"""


def run(*argv: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command outside of the checkout, with nothing of the checkout in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
    )


@pytest.fixture(scope="module")
def distributions(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, built from the checkout, and the wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, checkout, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installation(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("installation")
    venv.create(folder, with_pip=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    done = run(*pip, distributions[1], cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


def list_sources(checkout: Path) -> set[str]:
    """Return which files the two packages have in the checkout, by their names in a wheel."""
    return {
        str(path.relative_to(root))
        for root in (checkout / "tracer", checkout / "unpackers")
        for package in ("rtrace", "rtrace_unpackers")
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_both_packages_and_nothing_else(distributions: tuple[Path, Path], checkout: Path) -> None:
    """The wheel has every file of both packages under its import name, `py.typed` included, and no other folder."""
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/data/share/" not in name}
    assert names == list_sources(checkout)
    assert {"rtrace/py.typed", "rtrace_unpackers/py.typed"} <= names


def test_wheel_brings_manual_pages_and_completion(distributions: tuple[Path, Path]) -> None:
    """There is a page for rtrace and one for each command, and what each shell loads by itself, as it is printed."""
    with zipfile.ZipFile(distributions[1]) as wheel:
        shared = {name.partition("/share/")[2]: name for name in wheel.namelist() if "/share/" in name}
        pages = {f"man/man1/{name}" for name in ("rtrace.1", *(f"rtrace-{command}.1" for command in COMMANDS))}
        scripts = {
            "bash-completion/completions/rtrace": "bash",
            "zsh/site-functions/_rtrace": "zsh",
            "fish/vendor_completions.d/rtrace.fish": "fish",
        }
        assert shared.keys() == pages | scripts.keys()
        trace = wheel.read(shared["man/man1/rtrace-trace.1"]).decode()
        printed = {place: wheel.read(shared[place]) for place in scripts}
        assert printed == {place: wheel.read(f"rtrace/cli/shells/rtrace.{shell}") for place, shell in scripts.items()}
    assert trace.startswith('.TH "RTRACE\\-TRACE" "1"')


def test_wheel_states_name_licence_and_entry_points(distributions: tuple[Path, Path]) -> None:
    """The wheel's metadata names it and the licence, carries its text, and declares the command and the unpackers."""
    assert [file.name.partition("-")[0] for file in distributions] == ["rtrace_repro", "rtrace_repro"]
    with zipfile.ZipFile(distributions[1]) as wheel:
        (info,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        metadata = wheel.read(f"{info}/METADATA").decode()
        licence = wheel.read(f"{info}/licenses/LICENSE").decode()
        points = wheel.read(f"{info}/entry_points.txt").decode().splitlines()
    assert "\nName: rtrace-repro\n" in metadata
    assert "License-Expression: GPL-2.0-or-later\n" in metadata
    assert "GNU GENERAL PUBLIC LICENSE" in licence
    assert {"[console_scripts]", "rtrace = rtrace.cli:main", "[rtrace.unpackers]"} <= set(points)


def test_sdist_holds_what_a_contributor_needs(distributions: tuple[Path, Path], checkout: Path) -> None:
    """The sdist has the sources, the tests with their fixtures and the scripts, and nothing that a build left."""
    with tarfile.open(distributions[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = ["LICENSE", "README.md", "pyproject.toml", "scripts/test", "tests/conftest.py"]
    wanted += [str(path.relative_to(checkout)) for path in (checkout / "fixtures/experiments").rglob("run.sh")]
    assert [name for name in wanted if name not in names] == []
    assert [name for name in names if "__pycache__" in name or name.startswith(".venv")] == []


def test_installed_command_line_helps(installation: Path, tmp_path: Path) -> None:
    """`rtrace --help` of an installed wheel runs from any folder."""
    done = run(installation / "rtrace", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: rtrace")


def test_installed_command_line_traces(installation: Path, tmp_path: Path) -> None:
    """`rtrace trace` of an installed wheel traces a command, and passes its exit status on."""
    done = run(installation / "rtrace", "trace", "sh", "-c", "echo traced; exit 3", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "traced\n"), done.stderr
    assert (tmp_path / ".rtrace").is_dir()


def test_installed_unpackers_are_found(installation: Path, tmp_path: Path) -> None:
    """The unpackers of an installed wheel are found through their entry points, under the names they give."""
    done = run(installation / "python", "-c", LIST_UNPACKERS, cwd=tmp_path)
    names = ("apptainer", "chroot", "directory", "docker", "podman", "proot", "vagrant", "vm")
    assert done.stdout.splitlines() == [f"{name} {name}" for name in names], done.stderr


def test_installed_module_is_the_command_line(installation: Path, tmp_path: Path) -> None:
    """`python -m rtrace` does what `rtrace` does."""
    done = run(installation / "python", "-m", "rtrace", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: rtrace")
