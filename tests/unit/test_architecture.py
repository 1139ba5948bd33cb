"""The direction of imports, the one door of each dependency, and what `rtrace --help` may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS = (CHECKOUT / "tracer", CHECKOUT / "unpackers")

# Where each outside dependency may be imported: below one package, and by how many modules at most.
DOORS = {
    "ahocorasick_rs": ("rtrace.secrets", 1),
    "ptrace": ("rtrace.capture", None),
    "zstandard": ("rtrace.bundle", 1),
    "yaml": ("rtrace.manifest", None),
    "elftools": ("rtrace.packages", 1),
    "distro": ("rtrace.host", 1),
    "click": ("rtrace.cli", None),
}

# What reads a bundle anywhere; what needs Linux and its ptrace, or speaks to a person.
FORMAT_HALF = (
    "rtrace.attributes",
    "rtrace.bundle",
    "rtrace.content",
    "rtrace.elsewhere",
    "rtrace.errors",
    "rtrace.fetching",
    "rtrace.folders",
    "rtrace.guarding",
    "rtrace.holes",
    "rtrace.incompleteness",
    "rtrace.interrupts",
    "rtrace.limits",
    "rtrace.locks",
    "rtrace.manifest",
    "rtrace.opening",
    "rtrace.printable",
    "rtrace.probing",
    "rtrace.progress",
    "rtrace.provided",
    "rtrace.removing",
    "rtrace.renaming",
    "rtrace.reprozip",
    "rtrace.shortening",
    "rtrace.stamps",
    "rtrace.target_folder",
    "rtrace.unpacker",
    "rtrace.workspaces",
)
CAPTURE_HALF = ("rtrace.capture", "rtrace.cli", "rtrace.host", "rtrace.packing", "rtrace.trace", "rtrace.tracing")
SPEAKERS = ("rtrace.__main__", "rtrace.cli")

# What `rtrace --help` may load of rtrace and of other people's packages ...
HELP_LOADS = (
    "rtrace",
    "rtrace.__main__",
    "rtrace.cli",
    "rtrace.errors",
    "rtrace.interrupts",
    "rtrace.printable",
    "rtrace.progress",
    "click",
)
# ... and what of the standard library costs too much for it.
TOO_HEAVY_FOR_HELP = (
    "asyncio",
    "concurrent.futures",
    "ctypes",
    "email",
    "hashlib",
    "http",
    "importlib.metadata",
    "json",
    "logging",
    "multiprocessing",
    "sqlite3",
    "subprocess",
    "tarfile",
    "tempfile",
    "urllib",
    "zipfile",
)


@dataclass(frozen=True)
class Module:
    """A module of ours: its dotted name, whether it is a package, and its syntax."""

    name: str
    is_package: bool
    tree: ast.Module


def read_modules() -> list[Module]:
    """Parse every module of both source roots."""
    modules = []
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            modules.append(Module(name, is_package, ast.parse(path.read_bytes(), filename=str(path))))
    return modules


MODULES = read_modules()
NAMES = frozenset(module.name for module in MODULES)


def find_imports(module: Module) -> Iterator[tuple[str, int]]:
    """Yield what a module imports, in functions too, as dotted names with their lines.

    `from a import b` yields `a.b` where that is a module of ours, and `a` where b is a name in it.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = resolve_base(module, node)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield (name if name in NAMES else base), node.lineno


def resolve_base(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module behind a `from ... import`."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    package = package[: len(package) - node.level + module.is_package]
    return ".".join([*package, *([node.module] if node.module else [])])


def is_below(name: str, *packages: str) -> bool:
    """Tell whether a module is one of these packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def find_wrong_imports(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    """Say, a line each, which modules below `importers` import something below `forbidden`."""
    return [
        f"{module.name}:{line} imports {name}"
        for module in MODULES
        if is_below(module.name, *importers)
        for name, line in find_imports(module)
        if is_below(name, *forbidden)
    ]


def test_rtrace_never_imports_rtrace_unpackers() -> None:
    """The tracer knows unpackers through their entry points alone, its own ones included."""
    assert find_wrong_imports(("rtrace",), ("rtrace_unpackers",)) == []


def test_unpackers_import_the_format_half_only() -> None:
    """An unpacker reads bundles and manifests, and needs nothing that captures, packs or talks to a person."""
    wrong = [
        f"{module.name}:{line} imports {name}"
        for module in MODULES
        if is_below(module.name, "rtrace_unpackers")
        for name, line in find_imports(module)
        if is_below(name, "rtrace") and name != "rtrace" and not is_below(name, *FORMAT_HALF)
    ]
    assert wrong == []


def test_format_half_never_imports_the_capture_half() -> None:
    """Whoever imports the format half gets no ptrace with it, by any detour."""
    assert find_wrong_imports(FORMAT_HALF, CAPTURE_HALF) == []


def test_capture_knows_nothing_of_bundles() -> None:
    """What traces a run imports nothing that packs it."""
    assert find_wrong_imports(("rtrace.capture",), ("rtrace.packing", "rtrace.bundle", "rtrace.cli")) == []


def test_only_the_command_line_knows_the_command_line() -> None:
    """No worker imports the command-line modules."""
    workers = tuple(name for name in NAMES if not is_below(name, *SPEAKERS) and name != "rtrace")
    assert find_wrong_imports(workers, SPEAKERS) == []


@pytest.mark.parametrize("dependency", sorted(DOORS))
def test_each_dependency_has_one_door(dependency: str) -> None:
    """An outside package is imported in one place, so that replacing it is one change."""
    door, at_most = DOORS[dependency]
    importers = {
        module.name for module in MODULES for name, _line in find_imports(module) if is_below(name, dependency)
    }
    outside = sorted(name for name in importers if not is_below(name, door))
    assert outside == []
    assert at_most is None or len(importers) <= at_most


def test_no_other_dependency_is_imported() -> None:
    """Every import is the standard library's, ours, or one of the dependencies that have a door."""
    known = {*sys.stdlib_module_names, *DOORS, "rtrace", "rtrace_unpackers", "__future__"}
    unknown = [
        f"{module.name}:{line} imports {name}"
        for module in MODULES
        for name, line in find_imports(module)
        if name.partition(".")[0] not in known
    ]
    assert unknown == []


def find_speech(module: Module) -> Iterator[str]:
    """Yield where a module prints, prompts, exits, or touches the standard streams."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input" | "breakpoint" | "exit" | "quit" as name)):
                yield f"{module.name}:{node.lineno} calls {name}()"
            case ast.Attribute(value=ast.Name(id="sys"), attr="exit" | "stdout" | "stderr" | "stdin" as name):
                yield f"{module.name}:{node.lineno} uses sys.{name}"
            case ast.Name(id="SystemExit"):
                yield f"{module.name}:{node.lineno} raises SystemExit"


def test_only_the_command_line_prints_prompts_or_exits() -> None:
    """Workers take a progress object and raise; what a person sees is the command line's business."""
    speech = [line for module in MODULES if not is_below(module.name, *SPEAKERS) for line in find_speech(module)]
    assert speech == []


PRINT_LOADED = """\
import sys
import click  # what click itself needs is its own affair
before = set(sys.modules)
sys.argv = ["rtrace", "--help"]
from rtrace.cli import main
try:
    status = main()
except SystemExit as exit:
    status = exit.code
assert not status, status
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def loaded_by_help() -> list[str]:
    """The modules that `rtrace --help` loads beyond those that click needs."""
    program = f"import sys; sys.path[:0] = {[str(root) for root in ROOTS]!r}\n{PRINT_LOADED}"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: rtrace")
    return done.stderr.splitlines()


def test_help_loads_only_the_command_line(loaded_by_help: list[str]) -> None:
    """`rtrace --help` loads the command-line modules: no tracer, no packer, no other dependency."""
    others = [name for name in loaded_by_help if name.partition(".")[0] not in sys.stdlib_module_names]
    wrong = [name for name in others if name != "rtrace" and not is_below(name, *HELP_LOADS[1:])]
    assert wrong == []


def test_help_loads_nothing_heavy_of_the_standard_library(loaded_by_help: list[str]) -> None:
    """`rtrace --help` leaves alone what costs milliseconds and is of no use to it."""
    assert [name for name in loaded_by_help if name in TOO_HEAVY_FOR_HELP] == []
