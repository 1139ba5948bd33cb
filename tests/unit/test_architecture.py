"""The direction of imports, the one door of each dependency, and what `rtrace --help` may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from layers import (
    MOST_FILES,
    ROOTS,
    Module,
    count_files,
    find_arrows,
    find_circles,
    find_homeless,
    find_imports,
    find_upward,
    join_folders,
    module_names,
    read_modules,
)

# Where each outside dependency may be imported: below one package, and by how many modules at most.
DOORS = {
    "ahocorasick_rs": ("rtrace.privacy", 1),
    "pg8000": ("rtrace.record.stores", 1),
    "ptrace": ("rtrace.capture", None),
    "zstandard": ("rtrace.bundle", 1),
    "yaml": ("rtrace.manifest", None),
    "elftools": ("rtrace.packages", 1),
    "distro": ("rtrace.capture.host", 1),
    "docutils": ("rtrace.figures.sphinx", 1),
    "sphinx": ("rtrace.figures.sphinx", 1),
    "click": ("rtrace.cli", None),
    "tomli": ("rtrace.manifest.reading.toml", 1),
    "packaging": ("rtrace.declared.pep508", 1),
    "jinja2": ("rtrace.pages.rendering", 1),
    "waitress": ("rtrace.web.serving", 1),
    "werkzeug": ("rtrace.web", None),
    "astropy": ("rtrace.verify.plugins.fits", 1),
    "nibabel": ("rtrace.verify.plugins.nifti", 1),
    "openpyxl": ("rtrace.verify.plugins.excel", 1),
    "pandas": ("rtrace.verify.plugins.stata", 1),
    "rdata": ("rtrace.verify.plugins.r_files", 1),
    "scipy": ("rtrace.verify.plugins.matlab", 1),
    "duckdb": ("rtrace.verify.kinds.data.parquet", 1),
    "h5py": ("rtrace.verify.kinds.data.hdf5", 1),
    "numpy": ("rtrace.verify", 5),
    "PIL": ("rtrace.verify", 2),
    "pypdfium2": ("rtrace.verify", 2),
}

# What an unpacker may use of rtrace: what reads a bundle anywhere, and nothing that traces, packs or speaks.
FORMAT_HALF = (
    "rtrace.bundle",
    "rtrace.debugging",
    "rtrace.elsewhere.sources",
    "rtrace.errors",
    "rtrace.exports.protocol",
    "rtrace.files",
    "rtrace.freezing",
    "rtrace.interrupts",
    "rtrace.limits",
    "rtrace.linux",
    "rtrace.manifest",
    "rtrace.opening",
    "rtrace.printable",
    "rtrace.progress",
    "rtrace.replay",
    "rtrace.reprozip",
)
# Folders of more modules than a chapter has: one file a command is a rule that a reader knows without counting.
CROWDED = {"rtrace.cli"}
# Two are parts of somebody's own program, and speak where that does; the last is a command of its own.
SPEAKERS = (
    "rtrace.__main__",
    "rtrace.cli",
    "rtrace.inside",
    "rtrace.notebook",
    "rtrace.verify.contract.__main__",
    "rtrace_unpackers.conformance.__main__",
)

# What `rtrace --help` may load of rtrace and of other people's packages ...
HELP_LOADS = (
    "rtrace",
    "rtrace.__main__",
    "rtrace.cli",
    "rtrace.debugging",
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


MODULES = read_modules()
NAMES = module_names()


def is_below(name: str, *packages: str) -> bool:
    """Whether a module is one of these packages or lies in one."""
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


def test_imports_point_down() -> None:
    """A module imports from its own folder and from the layers below: nothing upward, nothing of a neighbour."""
    assert find_upward(find_arrows()) == []


def test_every_module_is_in_a_layer() -> None:
    """A new folder is given its place in the order before anything moves in."""
    assert find_homeless() == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """No module reaches itself by its imports, those for types included."""
    assert find_circles(find_arrows()) == []


def test_no_folders_import_each_other_in_a_circle() -> None:
    """No folder reaches itself either, and none its own folders' folders: a chapter can be read without a later one."""
    assert find_circles(join_folders(find_arrows())) == []


def test_a_folder_is_a_chapter() -> None:
    """A folder holds at most about a dozen modules; the exceptions are named with their reason."""
    crowded = {folder for folder, count in count_files().items() if count > MOST_FILES}
    assert crowded == CROWDED


def test_a_circle_is_found() -> None:
    """What looks for circles finds one of two nodes and one of three, and none in what only meets again."""
    arrows = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a", "e"], "e": ["d"], "f": ["a", "e"]}
    assert find_circles(arrows) == [["a", "b", "c"], ["d", "e"]]
    assert find_circles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []


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


def test_libc_has_one_door() -> None:
    """`ctypes` is for the folder of Linux's own calls, and for what an isolated replay needs beyond them."""
    doors = ("rtrace.linux", "rtrace_unpackers.isolation.kernel")
    users = {module.name for module in MODULES for name, _line in find_imports(module) if is_below(name, "ctypes")}
    assert users
    assert [name for name in sorted(users) if not is_below(name, *doors)] == []


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


SPOKEN = ("Give", "Tell", "Say")
"""How no docstring begins of a function that returns something: these words are for what acts on somebody else."""
ACTING = {"adopt", "copy_window", "take_back", "_tell_failure"}
"""Functions that do such a thing, and return something besides."""


def test_docstrings_say_return_and_whether() -> None:
    """A function that returns a value says "Return", "Yield" or "Whether", or what it does to get it."""
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name not in ACTING
        if node.returns is not None and ast.unparse(node.returns) not in {"None", "NoReturn"}
        if (ast.get_docstring(node) or "").startswith(SPOKEN)
    ]
    assert wrong == []


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
