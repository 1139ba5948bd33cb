"""The layers of the code: which folder may import which, and what of that is so. `scripts/layers` prints it.

Every import counts, those in functions and those for types alone included: each is something a reader has to know.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ROOTS = (CHECKOUT / "tracer", CHECKOUT / "unpackers")

LAYERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "rtrace": (
        (
            "calling",
            "debugging",
            "errors",
            "gc_pause",
            "interrupts",
            "limits",
            "path_text",
            "plugins",
            "printable",
            "progress",
        ),  # the ground: everybody may use it
        ("linux",),
        ("files", "freezing"),
        ("manifest",),
        ("trace", "bundle"),
        ("reprozip",),
        ("opening",),
        ("elsewhere",),
        ("registry", "exports"),  # the first asks by the same guarded connections
        ("capture", "packages"),
        ("describe",),
        ("privacy",),
        ("pack",),
        ("replay",),
        ("sweep",),
        ("verify",),
        ("record",),
        ("appendix", "declared", "figures", "staleness"),
        ("operations",),
        ("answers",),
        ("pages",),
        ("web",),  # below the command line, which starts it
        ("cli", "inside"),
        ("notebook",),
        ("__main__",),
    ),
    "rtrace_unpackers": (
        ("files", "limits"),
        ("target", "launchers", "granted"),
        ("isolation",),
        ("proot", "cache"),
        ("chroot", "engines"),
        ("directory", "oci", "vm"),
        ("apptainer", "vagrant"),
        ("conformance",),
    ),
}
"""From the ground up: a module imports from its own folder and from layers below, never from a neighbour's."""

MOST_FILES = 13
"""How many modules a folder may have: about a dozen."""


@dataclass(frozen=True)
class Module:
    """A module of ours: its dotted name, whether it is a package, its path and its syntax."""

    name: str
    is_package: bool
    path: Path
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The package that the module lies in; a package, and a module beside the folders, lies in itself."""
        above = self.name.rpartition(".")[0]
        return self.name if self.is_package or above in LAYERS else above


@cache
def read_modules() -> tuple[Module, ...]:
    """Return every module of both source roots, parsed."""
    modules = []
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            modules.append(Module(name, is_package, path, ast.parse(path.read_bytes(), filename=str(path))))
    return tuple(modules)


@cache
def module_names() -> frozenset[str]:
    """Return the dotted names of all modules."""
    return frozenset(module.name for module in read_modules())


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
                yield (name if name in module_names() else base), node.lineno


def resolve_base(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module behind a `from ... import`."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    package = package[: len(package) - node.level + module.is_package]
    return ".".join([*package, *([node.module] if node.module else [])])


def find_arrows() -> dict[str, set[str]]:
    """Return which modules of ours each module imports; the two packages themselves, which all lie in, apart."""
    return {
        module.name: {
            name
            for name, _line in find_imports(module)
            if name in module_names() and name not in (module.name, *LAYERS)
        }
        for module in read_modules()
    }


def find_circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other, by Tarjan's strongly connected components."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    circles = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        open_nodes.append(node)
        for other in arrows.get(node, ()):
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in open_nodes:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            start = open_nodes.index(node)
            if len(open_nodes) - start > 1:
                circles.append(sorted(open_nodes[start:]))
            del open_nodes[start:]

    for node in arrows:
        if node not in order:
            visit(node)
    return circles


def join_folders(arrows: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Return the same arrows between folders."""
    folders = {module.name: module.folder for module in read_modules()}
    joined: defaultdict[str, set[str]] = defaultdict(set)
    for name, others in arrows.items():
        for other in others:
            if folders[name] != folders[other]:
                joined[folders[name]].add(folders[other])
    return joined


def rank(name: str) -> int | None:
    """Return the layer of a module, counted from the ground; None for the packages themselves and for strangers."""
    package, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return next((number for number, layer in enumerate(LAYERS.get(package, ())) if first in layer), None)


def find_upward(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Return, a line each, the imports within a package that lead upward or to a neighbour of the same layer."""
    wrong = []
    for name, others in arrows.items():
        package, _, rest = name.partition(".")
        for other in sorted(others):
            if other.partition(".")[0] != package or rest.partition(".")[0] == other.split(".")[1]:
                continue
            own, theirs = rank(name), rank(other)
            ground = own == 0 == theirs
            if own is not None and theirs is not None and theirs >= own and not ground:
                wrong.append(f"{name} imports {other}")
    return wrong


def find_homeless() -> list[str]:
    """Return the modules that are in no layer."""
    return sorted(
        name for name in module_names() if "." in name and name.partition(".")[0] in LAYERS and rank(name) is None
    )


def count_files() -> dict[str, int]:
    """Return how many modules each folder has, its own `__init__` apart."""
    return dict(
        sorted(Counter(module.name.rpartition(".")[0] for module in read_modules() if not module.is_package).items())
    )


def describe_house() -> Iterator[str]:
    """Yield, line by line, what `scripts/layers` prints."""
    arrows = find_arrows()
    folders = join_folders(arrows)
    for package, layers in LAYERS.items():
        yield f"{package}, from the ground up:"
        for layer in layers:
            yield f"  {' | '.join(layer)}"
    yield ""
    yield "folder: modules, and the folders that it imports from"
    for folder, count in count_files().items():
        yield f"  {folder}: {count}; {', '.join(sorted(folders.get(folder, ()))) or '-'}"
    yield ""
    circles, between = find_circles(arrows), find_circles(folders)
    upward = find_upward(arrows)
    crowded = {folder: count for folder, count in count_files().items() if count > MOST_FILES}
    yield (
        f"{len(arrows)} modules in {len(count_files())} folders; "
        f"arrows between folders: {sum(map(len, folders.values()))}; "
        f"circles of modules: {len(circles)}, of folders: {len(between)}; arrows upward: {len(upward)}; "
        f"folders of more than {MOST_FILES} modules: {len(crowded)}"
    )
    yield from (f"  circle: {', '.join(circle)}" for circle in [*circles, *between])
    yield from (f"  upward: {line}" for line in upward)
    yield from (f"  crowded: {folder} ({count})" for folder, count in crowded.items())
