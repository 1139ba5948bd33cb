"""Where a record keeps what Sumatra says of a run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from rtrace.record.empty import empty_record
from rtrace.record.foreign.source.contents import Contents
from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.secrets import withhold
from rtrace.record.foreign.source.times import add_seconds, derive_id, read_when, show_when
from rtrace.record.foreign.source.values import integer, mapping, mappings, number, split_words, text, words
from rtrace.record.foreign.sumatra.parameters import read_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtrace.record.document import FileFact, MachineFact, Record, RepositoryFact, Status
    from rtrace.record.foreign.source.databases import Row

_STATUSES: dict[str, Status] = {
    "_finished_": "succeeded",
    "_succeeded_": "succeeded",
    "_failed_": "failed",
    "_killed_": "killed",
    "_crashed_": "crashed",
}
_STATUS = re.compile(r"_.*_")
_RETURNED = re.compile(r"^Failed with `returncode.*>`_ (-?\d{1,5})", re.DOTALL)
_PERSON = re.compile(r"(?P<name>[^<]*?)\s*<(?P<email>[^<>]+)>")
_INTERRUPTED = 2
_NO_TEXT = {"Not launched.", "Not yet captured.", "No output.", "Not available."}
_LAUNCHES = {"DistributedLaunchMode": "mpi", "SlurmMPILaunchMode": "batch"}
_SYSTEMS = {
    "GitRepository": "git",
    "MercurialRepository": "hg",
    "SubversionRepository": "svn",
    "BazaarRepository": "bzr",
}
_LANGUAGES = {"python": "Python", "r": "R", "matlab": "MATLAB", "neuron": "NEURON", "genesis": "GENESIS"}
_VERSION = "0.8"
_MOST_VALUES = 50_000_000
"""In all records of a project, each of which repeats what it shares with others."""


def make_records(said: Sequence[Row], project: Row, store: str) -> Iterator[Record]:
    """Yield the records of a project's runs."""
    ids = {(_name_project(run, project), words(run.get("label"))): _derive(run, project) for run in said}
    contents = Contents("Sumatra")
    plain = Plain(_MOST_VALUES)
    for shared in said:
        run = mapping(plain.convert(shared))
        record = _make_record(run, project, contents)
        repeated = text(run.get("repeats"))
        record["parent"] = None if repeated is None else ids.get((_name_project(run, project), repeated))
        tool = f"sumatra {words(project.get('sumatra_version')) or _VERSION}"
        record["imported"] = {"tool": tool, "store": store, "project": project, "record": run}
        yield withhold(record)


def _derive(run: Row, project: Row) -> str:
    when = read_when(run.get("timestamp"))
    return derive_id(when, "sumatra", _name_project(run, project), words(run.get("label")))


def _name_project(run: Row, project: Row) -> str:
    own = mapping(run.get("project"))
    return words(own.get("id")) or words(project.get("name"))


def _make_record(run: Row, project: Row, contents: Contents) -> Record:
    """Return the record of a run, all but what connects it with others."""
    record = empty_record(created_by=f"Sumatra {words(project.get('sumatra_version')) or _VERSION}")
    record["id"] = _derive(run, project)
    record["label"] = text(run.get("label"))
    record["reason"] = text(run.get("reason"))
    record["outcome"] = text(run.get("outcome"))
    _fill_status(record, run)
    own = mapping(run.get("project"))
    name = _name_project(run, project)
    if name:
        described = text(own.get("description")) or text(project.get("description"))
        record["project"] = {"name": name, "description": described, "url": None}
    started = read_when(run.get("timestamp"))
    wall = number(run.get("duration"))
    record["started"] = show_when(started)
    record["finished"] = show_when(add_seconds(started, wall))
    record["usage"]["wall"] = wall
    person = _PERSON.fullmatch(words(run.get("user")).strip())
    record["user"]["full_name"] = (person["name"] or None) if person else text(run.get("user"))
    record["user"]["email"] = person["email"] if person else None
    _fill_command(record, run)
    _fill_platforms(record, mappings(run.get("platforms")))
    record["repositories"] = [_read_repository(run)]
    record["libraries"] = [
        {
            "name": words(item.get("name")),
            "path": text(item.get("path")),
            "version": None if item.get("version") == "unknown" else text(item.get("version")),
            "build_id": None,
            "language": _LANGUAGES.get(words(item.get("module")), words(item.get("module"))),
            "package": None,
        }
        for item in mappings(run.get("dependencies"))
    ]
    label = words(run.get("label")).replace("/", "_")
    record["parameters"] = read_parameters(mapping(run.get("parameters")), label or "parameters")
    record["inputs"] = list(_read_files(run, "input", contents))
    record["outputs"] = list(_read_files(run, "output", contents))
    _keep_mirrored(record, run)
    said = words(run.get("stdout_stderr"))
    if said and said not in _NO_TEXT:
        size = len(said.encode("utf-8", "surrogateescape"))
        record["stdout"] = {"kind": "pipe", "path": None, "size": size, "sha256": None, "text": said, "cut": False}
    return record


def _fill_status(record: Record, run: Row) -> None:
    """Tell how a run ended: a tag says it, and the outcome of one that a signal ended."""
    tags = run.get("tags")
    all_tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    record["tags"] = [tag for tag in all_tags if not _STATUS.fullmatch(tag)]
    record["status"] = next((_STATUSES[tag] for tag in all_tags if tag in _STATUSES), "unknown")
    returned = _RETURNED.match(words(run.get("outcome")))
    if record["status"] == "succeeded":
        record["exit_code"] = 0
    elif record["status"] == "killed":
        record["signal"] = _INTERRUPTED
    elif returned and int(returned[1]) < 0:
        record["status"], record["signal"] = "killed", -int(returned[1])


def _fill_command(record: Record, run: Row) -> None:
    """Tell what was run: Sumatra put the command together from these parts."""
    executable = mapping(run.get("executable"))
    mode = mapping(run.get("launch_mode"))
    settings = mapping(mode.get("parameters"))
    called = words(mode.get("type"))
    folder = text(settings.get("working_directory"))
    main = split_words(run.get("main_file"))
    path = words(executable.get("path"))
    launcher: list[str] = []
    if called in _LAUNCHES:
        ranks = integer(settings.get("n"))
        launcher = [words(settings.get("mpirun")), "-n", str(ranks or 1), *split_words(settings.get("options"))]
        _fill_launcher(record, called, settings, ranks)
    record["launch"] = _LAUNCHES.get(called, "serial")
    record["workingdir"] = folder
    rest = [path, *split_words(executable.get("options")), *main, *split_words(run.get("script_arguments"))]
    record["arguments"] = [word for word in (*launcher, *rest) if word]
    place = os.path.join(folder or "", main[0]) if main else path
    record["main"] = place or None
    if path:
        record["executables"] = [
            {
                "path": path, "name": words(executable.get("name")), "version": text(executable.get("version")),
                "build_id": None, "sha256": None, "size": None, "compiler": None, "compiler_flags": None,
                "language": None, "package": None, "executions": 1,
            }
        ]  # fmt: skip
    record["scripts"] = [
        {
            "path": os.path.join(folder or "", name), "sha256": None, "size": None, "interpreter": path or None,
            "main": not place, "repository": 0, "version": None, "text": None,
        }
        for place, name in enumerate(main)
    ]  # fmt: skip


def _fill_launcher(record: Record, called: str, settings: Row, ranks: int | None) -> None:
    """Tell of a parallel run how it was launched."""
    hosts = settings.get("hosts")
    named = " ".join(host for host in hosts if isinstance(host, str)) if isinstance(hosts, list) else ""
    facts = {
        "implementation": os.path.basename(words(settings.get("mpirun"))),
        "size": str(ranks or ""),
        "hosts": named,
    }
    record["surroundings"]["mpi"] = {name: value for name, value in facts.items() if value}
    if called == "SlurmMPILaunchMode":
        record["surroundings"]["batch"] = {"system": "slurm"}


def _fill_platforms(record: Record, platforms: list[Row]) -> None:
    """Tell where it ran; of several machines the first is the machine, and each is a rank."""
    if platforms:
        _fill_machine(record["machine"], platforms[0])
    if len(platforms) > 1:
        record["ranks"] = [
            {"rank": str(place), "host": item.get("network_name")} for place, item in enumerate(platforms)
        ]


def _fill_machine(machine: MachineFact, platform: Row) -> None:
    machine["hostname"] = text(platform.get("network_name"))
    machine["addresses"] = [address] if (address := text(platform.get("ip_addr"))) else []
    machine["system"] = text(platform.get("system_name"))
    machine["release"] = text(platform.get("release"))
    machine["version"] = text(platform.get("version"))
    machine["architecture"] = text(platform.get("machine"))
    bits = words(platform.get("architecture_bits")).removesuffix("bit")
    machine["bits"] = int(bits) if re.fullmatch("[0-9]{1,3}", bits) else None
    machine["linkage"] = text(platform.get("architecture_linkage"))
    machine["processor"] = text(platform.get("processor"))


def _read_repository(run: Row) -> RepositoryFact:
    said = mapping(run.get("repository"))
    kind = words(said.get("type"))
    diff = text(run.get("diff"))
    upstream = text(said.get("upstream"))
    return {
        "type": _SYSTEMS.get(kind, kind), "path": words(said.get("url")), "commit": text(run.get("version")),
        "branch": None, "tag": None, "committed": None, "remote": upstream, "upstream": None,
        "dirty": diff is not None, "changed": [], "diff": diff, "problem": None,
    }  # fmt: skip


def _read_files(run: Row, direction: Literal["input", "output"], contents: Contents) -> Iterator[FileFact]:
    """Yield the files of a run that Sumatra knows by a data key: a path below the root of a data store."""
    name = "datastore" if direction == "output" else "input_datastore"
    root = words(mapping(mapping(run.get(name)).get("parameters")).get("root"))
    for key in mappings(run.get(f"{direction}_data")):
        metadata = mapping(key.get("metadata"))
        size = integer(metadata.get("size"))
        yield contents.describe(
            os.path.join(root, words(key.get("path"))),
            key.get("digest"),
            size=size if size is not None and size >= 0 else None,
            media_type=text(metadata.get("mimetype")),
            modified=show_when(read_when(key.get("creation"))),
            written=direction == "output",
        )


def _keep_mirrored(record: Record, run: Row) -> None:
    """Tell where a mirrored data store has the outputs whose digest is known."""
    settings = mapping(mapping(run.get("datastore")).get("parameters"))
    mirror, root = text(settings.get("mirror_base_url")), words(settings.get("root"))
    for fact in record["outputs"] if mirror else ():
        if fact["sha256"] is not None:
            url = f"{mirror}{os.path.relpath(fact['path'], root)}"
            record["kept"].append({"path": fact["path"], "sha256": fact["sha256"], "url": url})
