"""From a trace to a bundle: the world before the run, nothing hidden, and the same bytes each time."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from rtrace.opening import open_bundle
from trace_builder import TraceBuilder

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an experiment."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def trace(home: Path) -> TraceBuilder:
    """A trace with one run begun."""
    builder = TraceBuilder(home)
    builder.begin()
    return builder


def test_patterns_of_the_command_line_add_to_the_manifests(trace: TraceBuilder, home: Path, rtrace: Rtrace) -> None:
    """--exclude leaves out and --include adds, beside what the manifest says; the bundle's manifest tells of it."""
    for name in ("data", "scratch", "extra"):
        (home / name).write_text(name)
    trace.read(home / "data", home / "scratch")
    trace.finish()
    options = ("--exclude", "**/scratch", "--include", home / "extra")
    done = rtrace("pack", "-d", home / ".rtrace", *options, home.parent / "bundle.rpz")
    assert done.returncode == 0, done.stderr
    with open_bundle(home.parent / "bundle.rpz") as bundle:
        assert bundle.find(bytes(home / "data")) is not None
        assert bundle.find(bytes(home / "extra")) is not None
        assert bundle.find(bytes(home / "scratch")) is None
        assert (bundle.manifest.exclude, bundle.manifest.include) == ((b"**/scratch",), (bytes(home / "extra"),))
    relative = rtrace("pack", "-d", home / ".rtrace", "--include", "extra", home.parent / "other.rpz")
    assert (relative.returncode, b"begin it with a slash" in relative.stderr) == (2, True)
