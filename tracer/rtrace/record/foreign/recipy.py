"""recipy 0.3: its log, a TinyDB in `~/.recipy/recipyDB.json`."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from rtrace.errors import RecordError
from rtrace.printable import printable_text
from rtrace.record.empty import empty_record
from rtrace.record.facts.parameters import read_command_line
from rtrace.record.foreign.source.contents import Contents
from rtrace.record.foreign.source.files import read_head, read_json
from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.secrets import withhold
from rtrace.record.foreign.source.times import derive_id, read_when, show_when
from rtrace.record.foreign.source.values import mapping, mappings, split_words, text, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rtrace.record.document import FileFact, ParameterFact, Record
    from rtrace.record.foreign.source.databases import Row

_LOG = "recipyDB.json"
_HEAD = 1 << 20
_TABLES = re.compile(rb'\s*\{\s*"(_default|patches|filediffs)":')
_DATE = "{TinyDate}:"
_PLATFORM = re.compile(r"(?P<system>[^-]+)-(?P<release>.+)-(?P<machine>[^-]+)-with-(?P<libc>[a-z]+)(?P<number>[\d.]+)")
_LIBRARY = re.compile(r"(?P<name>.+?) v(?P<version>.*)", re.DOTALL)
_VERSION = "0.3"


class Recipy:
    """Reads recipy's log, or the folder that holds it."""

    name = "recipy"

    def recognises(self, path: str) -> bool:
        """Whether a path is of recipy."""
        found = _find_log(path)
        head = b"" if found is None else read_head(found, _HEAD)
        return _TABLES.match(head) is not None and (b'"unique_id"' in head or os.path.basename(found or "") == _LOG)

    def read(self, path: str) -> Iterator[Record]:
        """Yield a record for each run in a log."""
        log = _find_log(path) or path
        try:
            tables = mapping(read_json(log))
            differences = defaultdict(list)
            for row in mapping(tables.get("filediffs")).values():
                differences[str(mapping(row).get("run_id"))].append(mapping(row))
            contents, plain = Contents("recipy"), Plain()
            for number, run in mapping(tables.get("_default")).items():
                record = _make_record(mapping(run), contents)
                record["imported"] = {
                    "tool": record["created_by"],
                    "number": number,
                    "run": run,
                    "filediffs": differences[number],
                    "patches": plain.convert(tables.get("patches")),
                }
                yield withhold(record)
        except (Unreadable, OSError) as problem:
            shown = printable_text(log)
            raise RecordError(
                f"{shown} is no log of recipy: {printable_text(str(problem))}; give its recipyDB.json"
            ) from None


def _find_log(path: str) -> str | None:
    places = (os.path.join(path, _LOG), os.path.join(path, ".recipy", _LOG))
    return next(filter(os.path.isfile, places), None) if os.path.isdir(path) else path


def _read_date(run: Row, name: str) -> datetime | None:
    return read_when(words(run.get(name)).removeprefix(_DATE))


def _make_record(run: Row, contents: Contents) -> Record:
    """Return the record of a run, with what recipy says of it in its place."""
    libraries = [match for item in _list(run, "libraries") if (match := _LIBRARY.fullmatch(words(item)))]
    version = next((match["version"] for match in libraries if match["name"] == "recipy"), _VERSION)
    record = empty_record(created_by=f"recipy {version}")
    started, finished = _read_date(run, "date"), _read_date(run, "exit_date")
    record["id"] = derive_id(started, "recipy", words(run.get("unique_id")))
    record["reason"] = text(run.get("description"))
    record["outcome"] = text(run.get("notes"))
    record["started"], record["finished"] = show_when(started), show_when(finished)
    if started and finished:
        record["usage"]["wall"] = (finished - started).total_seconds()
    record["user"]["name"] = text(run.get("author"))
    interpreter, script = words(run.get("command")), words(run.get("script"))
    record["arguments"] = [word for word in (interpreter, script, *split_words(run.get("command_args"))) if word]
    record["main"] = script or None
    record["parameters"] = [*read_command_line(record["arguments"], script), *_read_custom_values(run)]
    _fill_end(record, run)
    _fill_surroundings(record, run, interpreter)
    record["libraries"] = [
        {
            "name": match["name"], "path": None, "version": None if match["version"] in {"?", ""} else match["version"],
            "build_id": None, "language": "Python", "package": None,
        }
        for match in libraries
    ]  # fmt: skip
    _fill_code(record, run, script, interpreter)
    record["inputs"] = [_read_file(item, contents, written=False) for item in _list(run, "inputs")]
    record["outputs"] = [_read_file(item, contents, written=True) for item in _list(run, "outputs")]
    return record


def _read_custom_values(run: Row) -> Iterator[ParameterFact]:
    """Yield what the script itself had noted, as recipy after 0.3 lets it."""
    for name, value in mapping(run.get("custom_values")).items():
        yield {"source": "recipy", "type": "custom value", "name": name, "value": _plain(value)}


def _fill_end(record: Record, run: Row) -> None:
    """Tell how a run ended: recipy sees an exception, and knows no exit status."""
    exception = mapping(run.get("exception"))
    if exception:
        record["status"] = "failed"
        said = f"{words(exception.get('type'))}: {words(exception.get('message'))}"
        record["notices"].append({"kind": "exception", "what": said, "advice": ""})
    elif record["finished"] is None:
        record["status"] = "crashed"
    else:
        record["status"] = "succeeded"
    for warning in mappings(run.get("warnings")):
        place = f"{words(warning.get('script'))}:{warning.get('lineno')}"
        said = f"{words(warning.get('type'))}: {words(warning.get('message'))} ({place})"
        record["notices"].append({"kind": "warning", "what": said, "advice": ""})


def _fill_surroundings(record: Record, run: Row, interpreter: str) -> None:
    """Tell of the machine and of Python: two texts, those of `platform.platform` and `sys.version`."""
    said = [words(item) for item in _list(run, "environment")]
    match = _PLATFORM.fullmatch(said[0]) if said else None
    if match:
        machine = record["machine"]
        machine["system"], machine["release"] = match["system"], match["release"]
        machine["architecture"], machine["libc"] = match["machine"], f"{match['libc']} {match['number']}"
    python = next((item.removeprefix("python ").split() for item in said if item.startswith("python ")), [])
    if interpreter:
        record["executables"] = [
            {
                "path": interpreter, "name": os.path.basename(interpreter), "version": python[0] if python else None,
                "build_id": None, "sha256": None, "size": None, "compiler": None, "compiler_flags": None,
                "language": None, "package": None, "executions": 1,
            }
        ]  # fmt: skip


def _fill_code(record: Record, run: Row, script: str, interpreter: str) -> None:
    """Tell which script ran, and of which commit."""
    diff = text(words(run.get("diff")).strip("\n")) and words(run.get("diff"))
    kind = "git" if run.get("gitrepo") else "svn" if run.get("svnrepo") else None
    if kind:
        record["repositories"] = [
            {
                "type": kind, "path": words(run.get(f"{kind}repo")), "commit": text(run.get(f"{kind}commit")),
                "branch": None, "tag": None, "committed": None, "remote": text(run.get(f"{kind}origin")),
                "upstream": None, "dirty": diff is not None if "diff" in run else None, "changed": [], "diff": diff,
                "problem": None,
            }
        ]  # fmt: skip
    if script:
        record["scripts"] = [
            {
                "path": script, "sha256": None, "size": None, "interpreter": interpreter or None, "main": True,
                "repository": 0 if kind else None, "version": None, "text": None,
            }
        ]  # fmt: skip


def _read_file(item: object, contents: Contents, *, written: bool) -> FileFact:
    """Return a file: a path, or a path and its SHA-1, which is null where recipy could not read it."""
    path, sha1 = (*item, None, None)[:2] if isinstance(item, list) else (item, None)
    return contents.describe(words(path), sha1, written=written)


def _list(run: Row, name: str) -> list[object]:
    value = run.get(name)
    return value if isinstance(value, list) else []


def _plain(value: object) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
