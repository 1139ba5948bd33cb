"""What is drawn: files, processes and runs, and what went from one to another; so many of each as a person can see."""

from __future__ import annotations

import os.path
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rtrace.pages.values import shorten_text, show_command
from rtrace.printable import count

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, ProcessFact, Record
    from rtrace.web.graph.uses import Uses

MOST_FILES, MOST_PROCESSES, MOST_RUNS = 40, 60, 12
_LABEL, _TITLE, _DEEPEST = 44, 400, 8
_FEW = 5
"""With fewer folders than this, one sees more of the largest of the next finer ones."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box: ``look`` is input, output, process or run; ``depth`` how far below its parents a process is."""

    id: str
    look: str
    label: str
    title: str
    href: str = ""
    depth: int = 0


@dataclass
class Graph:
    """Boxes by where they stand, and arrows between them by their ids; ``exact``: who read and wrote what is known."""

    inputs: list[Node] = field(default_factory=list)
    processes: list[Node] = field(default_factory=list)
    outputs: list[Node] = field(default_factory=list)
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    arrows: dict[tuple[str, str], str] = field(default_factory=dict)
    exact: bool = False


def make_graph(record: Record, uses: Uses | None, before: Sequence[Node], after: Sequence[Node]) -> Graph:
    """Return the graph of a run; ``before`` and ``after`` are the runs that it repeats and those that repeat it."""
    graph = Graph(before=list(before[:MOST_RUNS]), after=list(after[:MOST_RUNS]), exact=uses is not None)
    input_of = _add_files(graph.inputs, record, "input")
    output_of = _add_files(graph.outputs, record, "output")
    process_of, root = _add_processes(graph, record)
    _join(graph, record["inputs"], input_of, uses.reads if uses else None, process_of, root, written=False)
    _join(graph, record["outputs"], output_of, uses.writes if uses else None, process_of, root, written=True)
    if uses is not None:
        _join_readers(graph, record, output_of, uses, process_of)
    for node in graph.before:
        graph.arrows[node.id, root] = "run"
    for node in graph.after:
        graph.arrows[root, node.id] = "run"
    return graph


def _add_files(nodes: list[Node], record: Record, look: Literal["input", "output"]) -> dict[int, str]:
    """Add a box for each file, or for each folder where there are many; return which one a file is in."""
    files = record["inputs"] if look == "input" else record["outputs"]
    folder, address = record["workingdir"], f"/run/{record['id']}"
    groups = _group([file["path"] for file in files])
    box_of: dict[int, str] = {}
    for title, numbers in groups:
        identifier = f"{look}-{len(nodes)}"
        one, many = len(numbers) == 1, count(len(numbers), "file")
        path = files[numbers[0]]["path"] if one else title
        label, told = _end(path, folder), shorten_text(path, _TITLE)
        if one:
            nodes.append(Node(identifier, look, label, told, f"{address}/file/{look}s/{numbers[0]}"))
        else:
            nodes.append(Node(identifier, look, f"{label} ({many})", f"{told}: {many}", f"{address}/list/{look}s"))
        box_of.update(dict.fromkeys(numbers, identifier))
    return box_of


def _group(paths: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return at most MOST_FILES groups of paths by their numbers: each its own, or those of a folder together."""
    if len(paths) <= MOST_FILES:
        return [(path, [number]) for number, path in enumerate(paths)]
    finer: list[tuple[str, list[int]]] = []
    for level in (None, 6, 5, 4, 3, 2):
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for number, path in enumerate(paths):
            folder = os.path.dirname(path) if level is None else "/".join(path.split("/")[:level])
            groups[folder].append(number)
        if len(groups) <= MOST_FILES and (len(groups) >= _FEW or not finer):
            return sorted(groups.items())
        if len(groups) <= MOST_FILES:
            break
        finer = list(groups.items())
    finer.sort(key=lambda item: -len(item[1]))
    rest = [number for _title, numbers in finer[MOST_FILES - 1 :] for number in numbers]
    return [*sorted(finer[: MOST_FILES - 1]), ("other folders", sorted(rest))]


def _add_processes(graph: Graph, record: Record) -> tuple[dict[int, str], str]:
    """Add a box for each process below its parent, alike ones together; return which one has which, and the first."""
    processes = record["processes"]
    command = show_command(record["arguments"])
    if not processes:
        href = f"/run/{record['id']}"
        graph.processes.append(Node("process-0", "process", shorten_text(command, _LABEL), command[:_TITLE], href))
        return {}, "process-0"
    children: defaultdict[int | None, list[ProcessFact]] = defaultdict(list)
    known = {process["id"] for process in processes}
    for process in processes:
        parent = process["parent"]
        children[parent if parent in known and parent != process["id"] else None].append(process)
    if not children[None]:  # parents in a circle, which only a made-up record has
        children[None].append(processes[0])
    box_of: dict[int, str] = {}
    waiting: list[tuple[list[ProcessFact], int, str | None]] = [
        (alike, 0, None) for alike in reversed(_find_alike(children[None], children))
    ]
    while waiting:
        alike, depth, parent_box = waiting.pop()
        first = alike[0]
        if first["id"] in box_of:
            continue
        if len(graph.processes) == MOST_PROCESSES:
            box_of.setdefault(first["id"], parent_box or graph.processes[0].id)
            continue
        box = _make_process(graph, record, alike, depth)
        box_of.update({process["id"]: box for process in alike})
        if parent_box is not None:
            graph.arrows[parent_box, box] = "child"
        for process in reversed(alike):
            below = _find_alike(children.get(process["id"], []), children)
            waiting += [(group, depth + 1, box) for group in reversed(below)]
    return box_of, graph.processes[0].id


def _make_process(graph: Graph, record: Record, alike: Sequence[ProcessFact], depth: int) -> str:
    first = alike[0]
    box = f"process-{len(graph.processes)}"
    words = show_command([shorten_text(word, _TITLE) for word in first["arguments"][:20]]) or f"process {first['pid']}"
    title = shorten_text(words, _TITLE)
    name = shorten_text(_name(first, words), _LABEL)
    label = name if len(alike) == 1 else f"{len(alike)} x {name}"
    href = f"/run/{record['id']}/list/processes"
    graph.processes.append(Node(box, "process", label, title, href, min(depth, _DEEPEST)))
    return box


def _name(process: ProcessFact, words: str) -> str:
    program = os.path.basename(process["program"] or "")
    rest = show_command(shorten_text(word, _TITLE) for word in process["arguments"][1:20])
    return f"{program} {rest}".strip() if program else words


def _find_alike(
    siblings: Sequence[ProcessFact], children: Mapping[int | None, Sequence[ProcessFact]]
) -> list[list[ProcessFact]]:
    """Return siblings, with those together that ran the same program and started nothing, if there are several."""
    counts = Counter(one["program"] for one in siblings if not children.get(one["id"]))
    groups: dict[object, list[ProcessFact]] = {}
    for one in siblings:
        leaf = not children.get(one["id"]) and counts[one["program"]] > 3  # noqa: PLR2004 -- a few are seen at once
        groups.setdefault(("alike", one["program"]) if leaf else one["id"], []).append(one)
    return list(groups.values())


def _join(
    graph: Graph,
    files: Sequence[FileFact],
    box_of: Mapping[int, str],
    users: Mapping[str, Iterable[int]] | None,
    process_of: Mapping[int, str],
    root: str,
    *,
    written: bool,
) -> None:
    """Add an arrow between each file and the processes that used it; the first process, where nobody knows which."""
    for number, file in enumerate(files):
        who = {process_of[one] for one in (users or {}).get(file["path"], ()) if one in process_of}
        for process in who or {root}:
            arrow = (process, box_of[number]) if written else (box_of[number], process)
            graph.arrows[arrow] = "written" if written else "read"


def _join_readers(
    graph: Graph, record: Record, box_of: Mapping[int, str], uses: Uses, process_of: Mapping[int, str]
) -> None:
    """Add an arrow from what one process wrote to each other one that read it."""
    for number, file in enumerate(record["outputs"]):
        for one in uses.reads.get(file["path"], ()):
            process = process_of.get(one)
            if process is not None and (process, box_of[number]) not in graph.arrows:
                graph.arrows[box_of[number], process] = "read"


def _end(path: str, folder: str | None) -> str:
    """Return the end of a path, which tells files apart; below the folder that the run was in, what is below it."""
    if folder and folder != "/" and path.startswith(f"{folder}/"):
        path = path[len(folder) + 1 :]
    return shorten_text(path) if len(path) <= _LABEL else "…" + shorten_text(path[-_LABEL:])
