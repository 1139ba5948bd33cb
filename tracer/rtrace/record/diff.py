"""What differs between two records, as far as it may explain why their results do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, Record


SECTIONS = ("code", "inputs", "parameters", "packages", "environment", "machine", "outputs")

_TOLD = (
    "hostname",
    "system",
    "release",
    "architecture",
    "distribution",
    "distribution_version",
    "processor",
    "processor_flags",
    "cores",
    "memory",
    "libc",
    "locale",
    "time_zone",
)
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Change:
    """Something that two records say differently; None where one of them has no such thing."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """The differences of two records by section, those of `SECTIONS` in their order."""

    sections: Mapping[str, tuple[Change, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not any(self.sections.values())


def compare_records(a: Record, b: Record) -> RecordDifference:
    """Return what differs from one record to another. Paths below the folders they ran in count from there."""
    sections: dict[str, Callable[[Record], dict[str, str]]] = {
        "code": describe_code,
        "inputs": lambda record: describe_files(record, record["inputs"]),
        "parameters": describe_parameters,
        "packages": describe_packages,
        "environment": lambda record: record["environment"],
        "machine": describe_machine,
        "outputs": lambda record: describe_files(record, record["outputs"]),
    }
    return RecordDifference({name: tuple(compare(describe(a), describe(b))) for name, describe in sections.items()})


def compare(a: Mapping[str, str], b: Mapping[str, str]) -> Iterable[Change]:
    """Yield what differs between two sets of named values."""
    for name in dict.fromkeys(chain(a, b)):
        before, after = a.get(name), b.get(name)
        if before != after:
            yield Change(name, before, after)


def describe_code(record: Record) -> dict[str, str]:
    """Return what was run: the programs, the scripts, and the state of their repositories."""
    found: dict[str, str] = {}
    for repository in record["repositories"]:
        where = f"{repository['type']} {name_path(record, repository['path'])}"
        found[f"{where} commit"] = repository["commit"] or "unknown"
        found[f"{where} branch"] = repository["branch"] or "none"
        if repository["diff"]:
            found[f"{where} uncommitted"] = f"diff {sha256(repository['diff'].encode('utf-8', 'replace')).hexdigest()}"
        elif repository["dirty"]:
            found[f"{where} uncommitted"] = "changes"
    for script in record["scripts"]:
        found[name_path(record, script["path"])] = write_content(script["sha256"], script["size"])
    for program in record["executables"]:
        version = f"{program['version']}, " if program["version"] else ""
        found[program["path"]] = version + write_content(program["sha256"] or program["build_id"], program["size"])
    return found


def describe_files(record: Record, files: Iterable[FileFact]) -> dict[str, str]:
    """Return files with their contents."""
    return {name_path(record, file["path"]): write_content(file["sha256"], file["size"]) for file in files}


def describe_parameters(record: Record) -> dict[str, str]:
    """Return the command, and the parameters by where they were given and their names."""
    found = {"command": json.dumps(record["arguments"], ensure_ascii=False)}
    for parameter in record["parameters"]:
        source = "" if parameter["type"] == "command line" else f"{name_path(record, parameter['source'])}: "
        value = parameter["value"]
        found[f"{source}{parameter['name']}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def describe_packages(record: Record) -> dict[str, str]:
    """Return packages with their versions, and the libraries that belong to none."""
    found: dict[str, str] = {}
    for package in record["packages"]:
        name = f"{package['kind']} {package['name']}"
        version = package["version"] or "unknown version"
        found[name] = f"{found[name]}, {version}" if name in found else version  # several architectures
    for library in record["libraries"]:
        if library["package"] is None and (library["version"] or library["build_id"]):
            found[f"{library['language']} {library['name']}"] = str(library["version"] or library["build_id"])
    return found


def describe_machine(record: Record) -> dict[str, str]:
    """Return where it ran, and in what; who ran it as well."""
    machine = record["machine"]
    found = {"user": record["user"]["name"] or "unknown", "working directory": record["workingdir"] or "unknown"}
    for key in _TOLD:
        value = machine.get(key)
        if value not in (None, []):
            found[key] = " ".join(value) if isinstance(value, list) else str(value)
    for number, gpu in enumerate(machine["gpus"]):
        found[f"gpu {number}"] = " ".join(filter(None, (gpu["name"], gpu["driver"]))) or "unknown"
    surroundings = record["surroundings"]
    for key in ("container", "batch", "mpi"):
        for name, value in (surroundings.get(key) or {}).items():  # type: ignore[attr-defined]
            found[f"{key} {name}"] = value
    if surroundings["virtual"]:
        found["virtual"] = surroundings["virtual"]
    return found


def name_path(record: Record, path: str) -> str:
    """Return a path as seen from the folder that the command ran in, if it lies there."""
    folder = record["workingdir"]
    if folder and folder != "/" and path.startswith(f"{folder}/"):
        return f"./{path[len(folder) + 1 :]}"
    return path


def write_content(digest: str | None, size: int | None) -> str:
    """Return a content in a few words."""
    if digest is not None:
        return digest[:_SHOWN_DIGITS]
    return "unknown content" if size is None else f"unknown content of {size} bytes"
