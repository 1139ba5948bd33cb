"""The order of the chapters of the unpackers: each uses those above it only, and none has too many files."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "unpackers/rtrace_unpackers"
PACKAGE = "rtrace_unpackers"
MOST_MODULES = 12

# From the ground up. A chapter may use those before it, and itself; chapters of one line do not use each other.
ORDER = (
    ("files",),
    ("target", "limits", "launchers", "granted"),
    ("isolation.kernel", "isolation.streams"),
    ("isolation.users",),
    ("isolation.planning",),
    ("isolation.running",),
    ("proot", "cache"),
    ("chroot", "engines.engine"),
    ("engines.image",),
    ("directory",),
    ("engines.belonging", "engines.forwarding"),
    ("engines.container",),
    ("engines.target",),
    ("engines.making", "vm"),
    ("engines.docker",),
    ("oci",),
    ("apptainer", "vagrant"),
    ("conformance",),
)
RANKS = {chapter: rank for rank, chapters in enumerate(ORDER) for chapter in chapters}


def find_chapter(module: str) -> str | None:
    """Return the chapter of a module's dotted name; None for a package that only has chapters in it."""
    name = module.removeprefix(f"{PACKAGE}.")
    return next((chapter for chapter in RANKS if name == chapter or name.startswith(f"{chapter}.")), None)


def list_imports(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.startswith(PACKAGE))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(PACKAGE))


def list_uses() -> Iterator[tuple[str, str]]:
    """Yield pairs of chapters of which the first imports something of the second."""
    for path in sorted(SOURCES.rglob("*.py")):
        own = find_chapter(".".join((PACKAGE, *path.relative_to(SOURCES).with_suffix("").parts)))
        for module in list_imports(path):
            other = find_chapter(module)
            if own is not None and other is not None and other != own:
                yield own, other


def test_no_chapter_uses_one_above_it() -> None:
    """Imports lead towards the ground."""
    assert sorted({(own, other) for own, other in list_uses() if RANKS[own] <= RANKS[other]}) == []


def test_the_uses_are_found() -> None:
    """The two unpackers use the files, so a check that finds no import at all would be noticed."""
    assert {("chroot", "files"), ("engines.making", "files"), ("isolation.running", "limits")} <= set(list_uses())


def test_every_module_has_a_chapter() -> None:
    """A new folder gets a place in the order."""
    names = [".".join((PACKAGE, *path.relative_to(SOURCES).with_suffix("").parts)) for path in SOURCES.rglob("*.py")]
    assert [name for name in names if find_chapter(name) is None and not name.endswith("__init__")] == []


def test_no_folder_has_more_modules_than_a_reader_can_hold() -> None:
    """A folder is a chapter of about a dozen files at most."""
    folders = {path.parent for path in SOURCES.rglob("*.py")}
    assert [folder.name for folder in folders if len(list(folder.glob("*.py"))) > MOST_MODULES + 1] == []
