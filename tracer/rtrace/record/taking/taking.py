"""The record of a run, put together from its parts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes, to_text
from rtrace.printable import printable
from rtrace.record.empty import empty_record
from rtrace.record.facts.machine import read_machine
from rtrace.record.facts.repositories import find_repositories, read_repositories
from rtrace.record.facts.surroundings import read_surroundings
from rtrace.record.facts.users import read_user
from rtrace.record.taking.contents import MOST_BYTES
from rtrace.record.taking.files import MOST_FILES, describe_files, find_earlier, find_inputs, find_outputs
from rtrace.record.taking.libraries import describe_libraries, describe_packages
from rtrace.record.taking.parameters import describe_parameters
from rtrace.record.taking.processes import MOST_PROCESSES, describe_processes, describe_usage, shorten_arguments
from rtrace.record.taking.programs import describe_executables, describe_scripts, find_main, find_modules, find_programs
from rtrace.record.taking.secrets.redacting import RecordRedactor
from rtrace.record.taking.streams import describe_stream
from rtrace.record.times import write_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.manifest.model import Run
    from rtrace.record.document import NoticeFact, Record, RepositoryFact, Status
    from rtrace.record.taking.evidence import Evidence
    from rtrace.record.taking.said import Said

_MILLION = 1_000_000
_MOST_REPOSITORIES = 20
_ELF = b"\x7fELF"


def take_record(evidence: Evidence, said: Said, target: Path, notices: Iterable[NoticeFact] = ()) -> Record:
    """Return the record of a run that has just ended on this machine, without secrets.

    ``target`` is where its trace directory is to be, ``notices`` what could not be captured.
    """
    run, redactor = evidence.run, RecordRedactor()
    environ = {to_text(name): to_text(value or b"") for name, value in run.environ}
    programs = find_programs(evidence)
    main = find_main(evidence, programs)
    inputs, outputs = find_inputs(evidence), find_outputs(evidence)
    touched = (*programs.scripts, *find_modules(evidence), main, *(one.path for one in (*inputs, *outputs)))
    roots = find_repositories((*touched, run.workingdir.rstrip(b"/") + b"/."))[:_MOST_REPOSITORIES]
    numbers = {root: number for number, root in enumerate(roots)}

    record = empty_record()
    record["label"] = said.label
    record["reason"] = said.reason
    record["tags"] = list(dict.fromkeys(said.tags))
    record["status"] = find_status(run)
    record["exit_code"] = run.exit_code
    record["signal"] = run.signal
    record["started"] = None if run.started is None else write_time(int(run.started * _MILLION))
    record["finished"] = None if run.finished is None else write_time(int(run.finished * _MILLION))
    record["usage"] = describe_usage(evidence)
    record["workingdir"] = to_text(run.workingdir)
    record["main"] = to_text(main)
    record["user"] = read_user(environ)
    record["machine"] = read_machine(environ)
    record["surroundings"] = read_surroundings(environ)
    record["processes"] = describe_processes(evidence)
    record["packages"] = describe_packages(evidence)
    record["libraries"] = describe_libraries(evidence)
    record["executables"] = describe_executables(evidence, programs)
    record["scripts"] = describe_scripts(evidence, programs, main, numbers)
    record["inputs"] = describe_files(evidence, inputs, outputs=False)
    record["outputs"] = describe_files(evidence, outputs, outputs=True)
    record["repositories"] = read_repositories(roots, environ=environ, earlier=find_earlier(evidence, roots))
    record["trace"] = os.path.realpath(target)
    record["run_name"] = run.id
    machine = record["machine"]
    machine["linkage"] = "ELF" if _is_elf(run.program) else None
    surroundings = record["surroundings"]
    record["launch"] = "mpi" if surroundings["mpi"] else "batch" if surroundings["batch"] else "serial"
    if evidence.ranks:
        from rtrace.record.taking.ranks import add_ranks

        add_ranks(record, evidence)
    project = said.project or environ.get("RTRACE_PROJECT") or name_project(evidence, main, roots)
    record["project"] = None if project is None else {"name": project, "description": None, "url": None}
    record["notices"] = [*notices, *_tell_limits(evidence, len(inputs), len(outputs))]

    _redact_said(record, redactor)  # first, as long texts may use up the time in which all are searched
    argv = redactor.arguments(run.program, run.argv)
    record["arguments"] = shorten_arguments(argv)
    record["environment"] = {to_text(name): to_text(value or b"") for name, value in redactor.environment(run.environ)}
    record["stdin"] = describe_stream(evidence, 0, lambda text: redactor.output("the text of stdin", text))
    record["stdout"] = describe_stream(evidence, 1, lambda text: redactor.output("the text of stdout", text))
    record["stderr"] = describe_stream(evidence, 2, lambda text: redactor.output("the text of stderr", text))
    _redact_parts(record, redactor)
    record["parameters"], unread = describe_parameters(
        evidence, argv, main, inputs, lambda path, data: redactor.content(f"file {printable(path)}", path, data)
    )
    record["notices"] += unread
    for fact in record["parameters"]:
        value = fact["value"]
        if isinstance(value, str) or type(value) is int:  # a number can be a password, too
            kept = redactor.value(f"parameter {fact['name']}", fact["name"], str(value))
            fact["value"] = value if kept == str(value) else kept
    return redactor.finish(record)


def find_status(run: Run) -> Status:
    """Return how a run ended."""
    if run.finished is None:
        return "crashed"
    if run.signal is not None:
        return "killed"
    if run.exit_code is None:
        return "unknown"
    return "failed" if run.exit_code else "succeeded"


def _redact_parts(record: Record, redactor: RecordRedactor) -> None:
    """Take the secrets out of commands, texts and addresses; each is searched by the rules for its kind."""
    for process in record["processes"]:
        program = to_bytes(process["program"] or "")
        words = [to_bytes(word) for word in process["arguments"]]
        process["arguments"] = shorten_arguments(redactor.arguments(program, words))
    for script in record["scripts"]:
        if script["text"]:
            script["text"] = _redact_text(redactor, f"the text of {script['path']}", script["path"], script["text"])
    for repository in record["repositories"]:
        _redact_repository(repository, redactor)
    for package in record["packages"]:
        if package["origin"]:
            package["origin"] = redactor.address(f"origin of {package['name']}", package["origin"])


def _redact_said(record: Record, redactor: RecordRedactor) -> None:
    """Take the secrets out of what a person said, and look for some in names."""
    for key in ("label", "reason"):
        text = record[key]
        if text:
            record[key] = redactor.output(f"the {key}", text)
    record["tags"] = [redactor.output("a tag", tag) for tag in record["tags"]]
    project = record["project"]
    if project is not None:
        project["name"] = redactor.output("the project", project["name"])
    files = [fact["path"] for fact in (*record["inputs"], *record["outputs"], *record["scripts"])]
    redactor.names("the name of a file", [record["workingdir"] or "", *files])
    for repository in record["repositories"]:
        changed = [one["path"] for one in repository["changed"]]
        redactor.names("a name in a repository", [repository["branch"] or "", repository["tag"] or "", *changed])
    surroundings = record["surroundings"]
    facts = (surroundings["container"], surroundings["batch"], surroundings["mpi"])
    redactor.names("what it ran in", [value for fact in facts if fact is not None for value in fact.values()])


def _redact_repository(repository: RepositoryFact, redactor: RecordRedactor) -> None:
    path = repository["path"]
    if repository["diff"]:
        repository["diff"] = _redact_text(redactor, f"the diff of {path}", path, repository["diff"])
    if repository["remote"]:
        repository["remote"] = redactor.address(f"the remote of {path}", repository["remote"])
    if repository["upstream"]:
        repository["upstream"] = redactor.address(f"the remote of {path}", repository["upstream"])


def _redact_text(redactor: RecordRedactor, place: str, path: str, text: str) -> str:
    return to_text(redactor.content(place, to_bytes(path), to_bytes(text)))


def _tell_limits(evidence: Evidence, inputs: int, outputs: int) -> list[NoticeFact]:
    """Return a notice for each list of the record that is shorter than what there was."""
    advice = f"the trace has all of them; files of up to {MOST_BYTES >> 30} GiB together get digests"
    counts = (
        ("processes", len(evidence.processes), MOST_PROCESSES),
        ("inputs", inputs, MOST_FILES),
        ("outputs", outputs, MOST_FILES),
    )
    return [
        {"kind": "record", "what": f"the record lists the first {most} of {count} {name}", "advice": advice}
        for name, count, most in counts
        if count > most
    ]


def name_project(evidence: Evidence, main: bytes, roots: list[bytes]) -> str | None:
    """Return the name of the working tree that the main script lies in; without a script, of the one around the run.

    A package's program, such as the Python of a virtual environment, says nothing of what it was used for.
    """
    is_packaged = main in evidence.owners or os.path.realpath(main) in evidence.owners
    place = evidence.run.workingdir.rstrip(b"/") + b"/" if is_packaged else main
    above = [root for root in roots if place.startswith(root.rstrip(b"/") + b"/")]
    return os.path.basename(to_text(max(above, key=len))) or None if above else None


def _is_elf(path: bytes) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(4) == _ELF
    except OSError:  # the run removed it
        return False
