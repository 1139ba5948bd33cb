"""What another distribution adds to rtrace by an entry point alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from rtrace.errors import BundleError, UsageError
from rtrace.opening import FORMATS, list_formats, list_writable_formats, open_bundle
from rtrace.operations.export import export
from rtrace.packages.attribution import attribute
from rtrace.packages.registry import LANGUAGE, SYSTEM, find_manager, list_path_managers, list_system_managers
from rtrace.plugins import _find_plugins, find_plugins, load
from rtrace.verify.judging.judging import Judging
from rtrace.verify.kinds.model import Rule

MANAGERS = """
from rtrace.packages.model import Installed, PathManager, SystemManager


class Guix:
    def __init__(self, root):
        self.root = root

    def find_owners(self, paths):
        owner = Installed("hello", "2.12", "any", "guix")
        return {path: owner for path in paths if path.startswith(b"/gnu/store/")}


class Julia:
    def find_owners(self, paths):
        owner = Installed("DataFrames", "1.7", "any", "julia")
        return {path: owner for path in paths if b"/.julia/packages/DataFrames/" in path}


GUIX = SystemManager("guix", (b"/etc/hostname", b"/etc/passwd"), Guix)
JULIA = PathManager("julia", lambda unowned: unowned.mention(b"/.julia/"), lambda _unowned: Julia())
BLIND = PathManager("blind", lambda _unowned: False, lambda _unowned: 1 / 0)
"""

FORMAT = """
from rtrace.bundle.protocol import Exported, Format
from rtrace.errors import BundleError


class Scroll:
    def __init__(self, path, file):
        self.path, self.file = path, file
        self.maker = file.read().decode().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def is_scroll(file):
    file.seek(0)
    return file.read(7) == b"SCROLL "


def open_scroll(path, file):
    file.seek(0)
    return Scroll(path, file)


def write(bundle, target, *, progress):
    target.write_bytes(b"SCROLL " + bundle.maker.encode())
    return Exported(target, "0" * 64, 1, ())


SCROLL = Format("scroll", is_scroll, open_scroll, write)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of sys.path, for distributions."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    known = set(sys.modules)
    yield folder
    for name in set(sys.modules) - known:
        if name.startswith("outside_"):
            del sys.modules[name]


def install(site: Path, name: str, code: str, entry_points: str) -> None:
    """Install a distribution of one module, as an installer would."""
    (site / f"{name}.py").write_text(code)
    information = site / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(entry_points)
    _find_plugins.cache_clear()


def test_outside_package_managers_own_files(site: Path) -> None:
    """A distribution adds a system's and a language's package manager; one that sees nothing of its own stays shut."""
    paths = [b"/gnu/store/abc-hello-2.12/bin/hello", b"/home/ann/.julia/packages/DataFrames/x1/src/a.jl", b"/data/x"]
    assert attribute(paths).owners == {}
    points = "guix = outside_managers:GUIX\njulia = outside_managers:JULIA\nblind = outside_managers:BLIND\n"
    install(site, "outside_managers", MANAGERS, f"[rtrace.packages]\n{points}")
    owners = attribute(paths).owners
    assert {path: owner.manager for path, owner in owners.items()} == {paths[0]: "guix", paths[1]: "julia"}
    found = find_manager("julia")
    assert found is not None
    assert found.name == "julia"


def test_group_is_found_among_others(site: Path) -> None:
    """Entry points of other groups, and of the same name in another one, are nobody's here."""
    install(
        site, "outside_other", "X = 1\n", "[console_scripts]\nx = outside_other:X\n\n[rtrace.packages.x]\ny = a:B\n"
    )
    assert find_plugins("rtrace.packages") == {}
    install(site, "outside_more", "X = 1\n", "[rtrace.packages]\nb = outside_more:X\na = outside_more:X\n")
    assert list(find_plugins("rtrace.packages").items()) == [("a", "outside_more:X"), ("b", "outside_more:X")]
    assert load("outside_more:X") == 1


def test_own_package_managers_need_no_installation() -> None:
    """Every line of the tables leads to a package manager, in the order of the table."""
    assert [manager.name for manager in list_system_managers()] == list(SYSTEM)
    assert [manager.name for manager in list_path_managers()][: len(LANGUAGE)] == list(LANGUAGE)
    assert find_manager("nosuch") is None


def test_outside_format_is_opened_and_written(site: Path, tmp_path: Path) -> None:
    """A distribution adds a format: `open_bundle` knows it by its content, and `export` writes it."""
    bundle = tmp_path / "old.scroll"
    bundle.write_bytes(b"SCROLL ann")
    with pytest.raises(BundleError, match=r"old\.scroll is not a bundle"):
        open_bundle(bundle)
    with pytest.raises(UsageError, match="there is no format 'scroll'; choose one of: reprozip"):
        export(bundle, "scroll", tmp_path / "new")
    install(site, "outside_format", FORMAT, "[rtrace.formats]\nscroll = outside_format:SCROLL\n")
    with open_bundle(bundle) as opened:
        assert opened.maker == "ann"
    assert list(list_writable_formats()) == ["reprozip", "scroll"]
    written = export(bundle, "scroll", tmp_path / "new")
    assert written.target.read_bytes() == b"SCROLL ann"


def test_own_formats_need_no_installation() -> None:
    """Every line of the table leads to a format, and none of them takes a file that is empty for its own."""
    formats = [one for one in list_formats() if one.name in FORMATS]
    assert [one.name for one in formats] == list(FORMATS)
    assert [one.recognise(BytesIO()) for one in formats] == [False] * len(FORMATS)


COMPARATOR = """
from rtrace.verify.kinds.model import Findings


class Logs:
    name = "log"

    def recognise(self, head, name):
        return name.endswith(b".log")

    def compare(self, expected, found, rule, names):
        findings = Findings(self.name, rule)
        if expected.read().lower() != found.read().lower():
            findings.differ("somewhere", "this", "that")
        return findings.conclude()


LOGS = Logs()
"""


def test_outside_comparator_tells_how_contents_differ(site: Path) -> None:
    """A distribution has the word on the files that it recognises, and on no other."""

    def judge(expected: bytes, found: bytes, name: bytes) -> tuple[str, str]:
        judgement = Judging().judge(BytesIO(expected), BytesIO(found), Rule(), (name, name))
        return judgement.likeness, judgement.kind

    assert judge(b"a\n", b"A\n", b"x.log") == ("different", "text")
    install(site, "outside_comparator", COMPARATOR, "[rtrace.comparators]\nlogs = outside_comparator:LOGS\n")
    assert judge(b"a\n", b"A\n", b"x.log") == ("equal", "log")
    assert judge(b"a\n", b"B\n", b"x.log") == ("different", "log")
    assert judge(b"a\n", b"A\n", b"x.txt") == ("different", "text")
