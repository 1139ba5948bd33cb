"""One record of a parallel program, from those that its ranks have taken of themselves."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar, cast

from rtrace.record.ids import new_id
from rtrace.record.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from rtrace.record.document import ExecutableFact, FileFact, Json, Record, ScriptFact, UsageFact

    Fact = TypeVar("Fact")

MOST_PROCESSES = 1000
"""Processes that a record lists: of each rank the first ones, as many as of every other."""
_MILLION = 1_000_000


def join_records(records: Sequence[Record], target: str) -> Record:
    """Return one record of several, those of the ranks of a job in the order of these; ``target`` is the trace of all.

    What is there once is that of the first rank: who, why, the command, its streams, its machine. Each rank's entry in
    ``ranks`` has what differs from these: host, machine, command, variables, and what it printed.
    """
    first = records[0]
    joined = copy.deepcopy(first)
    joined["id"] = new_id()
    joined["trace"] = target
    worst = next((record for record in records if record["status"] != "succeeded"), first)
    joined["status"], joined["exit_code"], joined["signal"] = worst["status"], worst["exit_code"], worst["signal"]
    joined["started"] = min(_known(record["started"] for record in records), default=None)
    ends = [record["finished"] for record in records]
    joined["finished"] = max(_known(ends)) if all(ends) else None
    joined["usage"] = add_usages([record["usage"] for record in records], _span(joined))
    joined["tags"] = list(dict.fromkeys(tag for record in records for tag in record["tags"]))
    _join_facts(joined, records)
    _join_programs(joined, records)
    _join_processes(joined, records)
    joined["ranks"] = [_tell_apart(record, first) for record in records]
    return joined


def add_usages(usages: Sequence[UsageFact], wall: float | None) -> UsageFact:
    """Return what several processes took together: sums, and of peaks the highest; null where one is not known."""
    return {
        "wall": wall,
        "user": _add([usage["user"] for usage in usages]),
        "system": _add([usage["system"] for usage in usages]),
        "peak_memory": max(_known(usage["peak_memory"] for usage in usages), default=None),
        "bytes_read": cast("int | None", _add([usage["bytes_read"] for usage in usages])),
        "bytes_written": cast("int | None", _add([usage["bytes_written"] for usage in usages])),
    }


def _join_facts(joined: Record, records: Sequence[Record]) -> None:
    """Join the lists whose items are the same whoever met them."""
    joined["inputs"] = _unite(_find_inputs(records), lambda one: one["path"])
    joined["outputs"] = _last([record["outputs"] for record in records], lambda one: one["path"])
    joined["packages"] = _unite(
        [record["packages"] for record in records], lambda one: (one["kind"], one["name"], one["version"])
    )
    joined["libraries"] = _unite([record["libraries"] for record in records], lambda one: (one["path"], one["name"]))
    joined["parameters"] = _unite(
        [record["parameters"] for record in records], lambda one: (one["source"], one["name"], str(one["value"]))
    )
    joined["redacted"] = list(dict.fromkeys(place for record in records for place in record["redacted"]))


def _find_inputs(records: Sequence[Record]) -> Iterator[list[FileFact]]:
    """Yield the inputs of each rank without what another rank made: that was there for neither of them before."""
    made: set[str] = set()
    for record in records:
        read = {one["path"] for one in record["inputs"]}
        made |= {one["path"] for one in record["outputs"]} - read
    for record in records:
        yield [one for one in record["inputs"] if one["path"] not in made]


def _join_programs(joined: Record, records: Sequence[Record]) -> None:
    """Join programs, whose executions add up, and scripts, which name their repositories by number."""
    joined["repositories"] = _unite([record["repositories"] for record in records], lambda one: one["path"])
    numbers = {one["path"]: number for number, one in enumerate(joined["repositories"])}
    scripts: dict[str, ScriptFact] = {}
    programs: dict[str, ExecutableFact] = {}
    for record in records:
        for script in record["scripts"]:
            repository = script["repository"]
            number = None if repository is None else numbers[record["repositories"][repository]["path"]]
            scripts.setdefault(script["path"], {**script, "repository": number})
        for program in record["executables"]:
            known = programs.get(program["path"])
            executions = program["executions"] + (known["executions"] if known else 0)
            programs[program["path"]] = {**(known or program), "executions": executions}
    joined["scripts"] = list(scripts.values())
    joined["executables"] = list(programs.values())


def _join_processes(joined: Record, records: Sequence[Record]) -> None:
    """Join the lists of processes, numbered anew; times count from the start of the first rank."""
    each = max(MOST_PROCESSES // len(records), 1)
    processes = []
    offset = 0
    for record in records:
        later = _seconds_between(joined["started"], record["started"])
        for process in record["processes"][:each]:
            parent, started = process["parent"], process["started"]
            moved = copy.copy(process)
            moved["id"] = process["id"] + offset
            moved["parent"] = None if parent is None else parent + offset
            moved["started"] = None if started is None else started + later
            processes.append(moved)
        offset += max((process["id"] for process in record["processes"]), default=0)
    joined["processes"] = processes[:MOST_PROCESSES]


def _tell_apart(record: Record, first: Record) -> Json:
    """Return a rank's entry: what its own record says of it, and what is not as with the first rank."""
    entry: dict[str, object] = dict(record["ranks"][0]) if record["ranks"] else {}
    entry |= {
        "status": record["status"],
        "exit_code": record["exit_code"],
        "signal": record["signal"],
        "started": record["started"],
        "finished": record["finished"],
        "usage": record["usage"],
        "run_name": record["run_name"],
    }
    if record is first:
        return entry
    if record["arguments"] != first["arguments"]:
        entry["arguments"] = record["arguments"]
    if record["workingdir"] != first["workingdir"]:
        entry["workingdir"] = record["workingdir"]
    if record["machine"]["hostname"] != first["machine"]["hostname"]:
        entry["machine"], entry["surroundings"] = record["machine"], record["surroundings"]
    environment = {
        name: value for name, value in record["environment"].items() if first["environment"].get(name) != value
    }
    if environment:
        entry["environment"] = environment
    for key, stream in (("stdout", record["stdout"]), ("stderr", record["stderr"])):
        if stream is not None and stream["size"]:
            entry[key] = stream
    return entry


def _unite(lists: Iterable[Iterable[Fact]], key: Callable[[Fact], Hashable]) -> list[Fact]:
    """Return the items of all lists, the first of each key."""
    found: dict[Hashable, Fact] = {}
    for facts in lists:
        for fact in facts:
            found.setdefault(key(fact), fact)
    return list(found.values())


def _last(lists: Iterable[Iterable[Fact]], key: Callable[[Fact], Hashable]) -> list[Fact]:
    """Return the items of all lists, the last of each key: several ranks may have written one file."""
    return list({key(fact): fact for facts in lists for fact in facts}.values())


def _add(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return sum(known) if len(known) == len(values) else None


def _known(values: Iterable[Fact | None]) -> list[Fact]:
    return [value for value in values if value is not None]


def _span(record: Record) -> float | None:
    if record["started"] is None or record["finished"] is None:
        return None
    return _seconds_between(record["started"], record["finished"])


def _seconds_between(earlier: str | None, later: str | None) -> float:
    if earlier is None or later is None:
        return 0.0
    return max((read_time(later) - read_time(earlier)) / _MILLION, 0.0)
