"""Where a record keeps what noWorkflow says of a trial."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rtrace.record.empty import empty_record
from rtrace.record.facts.parameters import read_command_line
from rtrace.record.foreign.noworkflow.environment import fill_environment, find_besides, read_attributes
from rtrace.record.foreign.source.contents import SHA1
from rtrace.record.foreign.source.files import read_plain
from rtrace.record.foreign.source.literals import read_literal
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.times import derive_id, read_when, show_when
from rtrace.record.foreign.source.values import split_words, text, words

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, Record, ScriptFact, Status
    from rtrace.record.foreign.noworkflow.trials import Trial
    from rtrace.record.foreign.source.contents import Contents
    from rtrace.record.foreign.source.databases import Row

_STATUSES: dict[str, Status] = {"finished": "succeeded", "unfinished": "failed", "ongoing": "unknown"}
_MOST_TEXT = 1 << 20
_VERSION = "2"


def make_record(trial: Trial, folder: str, contents: Contents) -> Record:
    """Return the record of a trial; ``folder`` holds the database and the contents."""
    attributes = read_attributes(trial.rows.get("environment_attr", []))
    version = attributes.get("NOWORKFLOW_VERSION") or _VERSION
    record = empty_record(created_by=f"noWorkflow {version}")
    row = trial.row
    record["id"] = derive_id(read_when(row.get("start")), "noworkflow", words(row.get("id")))
    options = {words(item.get("name")): item.get("value") for item in trial.rows.get("argument", [])}
    record["reason"] = text(_read_option(options, "message"))
    record["tags"] = [tag for item in trial.rows.get("tag", []) if (tag := text(item.get("name")))]
    if text(trial.experiment.get("name")):
        described = text(trial.experiment.get("description"))
        record["project"] = {"name": words(trial.experiment.get("name")), "description": described, "url": None}
    record["status"] = _STATUSES.get(words(row.get("status")), "unknown")
    fill_environment(record, attributes)
    if text(trial.user.get("userLogin")):
        record["user"]["name"] = text(trial.user.get("userLogin"))
    _fill_times(record, row, attributes)
    _fill_command(record, trial, options, attributes)
    record["libraries"] = [
        {
            "name": words(item.get("name")), "path": text(item.get("fullpath")) or text(item.get("path")),
            "version": text(item.get("version")), "build_id": None, "language": "Python", "package": None,
        }
        for item in trial.rows.get("module", [])
    ]  # fmt: skip
    record["scripts"] = _read_scripts(trial, record, folder, contents)
    _fill_files(record, trial, folder, contents)
    for table, count in trial.left_out.items():
        said = f"the table {table} of noWorkflow has {count} rows of this trial, which stay in {trial.database}"
        record["notices"].append({"kind": "import", "what": said, "advice": "keep the database"})
    record["imported"] = {"tool": f"noworkflow {version}", **_keep_all(trial, attributes)}
    return record


def _fill_times(record: Record, row: Row, attributes: dict[str, str]) -> None:
    """Tell when it ran: noWorkflow writes local time without its zone, which a variable may tell, else this machine."""
    zone = _find_zone(attributes.get("TZ", ""))
    started, finished = (_localise(row.get(name), zone) for name in ("start", "finish"))
    record["started"], record["finished"] = show_when(started), show_when(finished)
    if started and finished:
        record["usage"]["wall"] = (finished - started).total_seconds()
    if started and zone is None:
        said = "noWorkflow wrote local time without its zone, which is taken for that of this machine"
        record["notices"].append({"kind": "import", "what": said, "advice": ""})


def _find_zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name.removeprefix(":")) if name else None
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


def _localise(written: object, zone: tzinfo | None) -> datetime | None:
    when = read_when(written)
    try:
        return None if when is None else when.replace(tzinfo=zone).astimezone(timezone.utc)
    except (OverflowError, ValueError, OSError):
        return when


def _fill_command(record: Record, trial: Trial, options: Row, attributes: dict[str, str]) -> None:
    """Tell what was run: the script with its arguments, by the Python that noWorkflow runs in."""
    argv = _read_option(options, "argv")
    given = [words(word) for word in argv] if isinstance(argv, list) else split_words(trial.row.get("command"))
    folder = words(trial.row.get("path"))
    script = words(_read_option(options, "script")) or os.path.join(folder, words(trial.row.get("script")))
    record["arguments"] = ["python", *given]
    record["workingdir"] = text(attributes.get("PWD")) or folder or None
    record["main"] = script or None
    record["parameters"] = read_command_line(record["arguments"], given[0] if given else None)
    record["executables"] = [
        {
            "path": "python", "name": attributes.get("PYTHON_IMPLEMENTATION") or "Python",
            "version": text(attributes.get("PYTHON_VERSION")), "build_id": None, "sha256": None, "size": None,
            "compiler": None, "compiler_flags": None, "language": None, "package": None, "executions": 1,
        }
    ]  # fmt: skip


def _read_option(options: Row, name: str) -> object:
    """Return an option that noWorkflow was given: its table has what `repr` says of it."""
    try:
        return read_literal(words(options.get(name)) or "None")
    except Unreadable:
        return None


def _read_scripts(trial: Trial, record: Record, folder: str, contents: Contents) -> list[ScriptFact]:
    """Return the script and the modules of the experiment's own, with the text that noWorkflow kept of them."""
    blocks = {str(item.get("id")): words(item.get("code_hash")) for item in trial.rows.get("code_block", [])}
    place = words(trial.row.get("path"))
    found: list[tuple[str, str | None, str | None]] = [
        (record["main"] or "", blocks.get(str(trial.row.get("main_id"))), None)
    ]
    for item in trial.rows.get("module", []):
        path = words(item.get("fullpath")) or words(item.get("path"))
        if place and path.startswith(f"{place}/"):
            found.append((path, blocks.get(str(item.get("code_block_id"))), text(item.get("version"))))
    scripts: list[ScriptFact] = []
    for number, (path, sha1, version) in enumerate(found):
        fact = contents.describe(path, sha1, copy=find_content(folder, sha1))
        scripts.append({
            "path": path, "sha256": fact["sha256"], "size": fact["size"], "interpreter": "python",
            "main": not number, "repository": None, "version": version,
            "text": _read_text(folder, sha1) if fact["sha256"] else None,
        })  # fmt: skip
    return scripts


def find_content(folder: str, sha1: str | None) -> str | None:
    """Return where noWorkflow keeps a content, when it keeps contents as plain files and has this one."""
    if sha1 is None or not SHA1.fullmatch(sha1):
        return None
    path = os.path.join(folder, "content", sha1[:2], sha1[2:])
    return path if os.path.lexists(path) else None


def _read_text(folder: str, sha1: str | None) -> str | None:
    path = find_content(folder, sha1)
    try:
        return None if path is None else read_plain(path, _MOST_TEXT).decode("utf-8")
    except (Unreadable, OSError, UnicodeDecodeError):
        return None


def _fill_files(record: Record, trial: Trial, folder: str, contents: Contents) -> None:
    """Tell what was read, as it was before, and what was written, as it was after: once a file."""
    inputs: dict[str, FileFact] = {}
    outputs: dict[str, FileFact] = {}
    for item in sorted(trial.rows.get("file_access", []), key=lambda item: str(item.get("id")).zfill(20)):
        path = os.path.join(words(trial.row.get("path")), words(item.get("name")))
        mode = words(item.get("mode"))
        before, after = text(item.get("content_hash_before")), text(item.get("content_hash_after"))
        if re.search(r"[wax+]", mode):
            outputs[path] = contents.describe(path, after, copy=find_content(folder, after), written=True)
        if (not re.search(r"[wax]", mode) and path not in outputs) or ("+" in mode and "r" in mode):
            inputs.setdefault(path, contents.describe(path, before, copy=find_content(folder, before)))
    record["inputs"], record["outputs"] = list(inputs.values()), list(outputs.values())


def _keep_all(trial: Trial, attributes: dict[str, str]) -> dict[str, object]:
    """Return everything that the database says of a trial, a table as its columns and rows."""
    tables: dict[str, object] = {}
    for name, rows in trial.rows.items():
        if name == "environment_attr" or not rows:
            continue  # as `environment`: a secret is known by its name
        columns = [column for column in rows[0] if column != "trial_id"]
        tables[name] = {"columns": columns, "rows": [[row[column] for column in columns] for row in rows]}
    return {
        "trial": trial.row,
        "environment": attributes,
        "environment_besides": find_besides(trial.rows.get("environment_attr", [])),
        "experiment": trial.experiment,
        "user": trial.user,
        "tables": tables,
    }
