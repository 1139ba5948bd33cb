"""What Subversion says of a working copy. It is asked without a network, and with an empty folder of settings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rtrace.record.facts.version_control import model
from rtrace.record.facts.version_control.remotes import strip_credentials
from rtrace.record.facts.version_control.running import Question, absolute_path, collect, find_program, make_folder

if TYPE_CHECKING:
    from rtrace.record.document import ChangedFile, RepositoryFact

_LIMIT = 16 << 20
_STATES = {
    "modified": "modified", "added": "added", "deleted": "deleted", "missing": "deleted", "replaced": "modified",
    "conflicted": "unmerged", "obstructed": "type changed", "unversioned": "untracked",
}  # fmt: skip


def read_subversion(root: bytes, limits: model.Limits, environ: Mapping[str, str]) -> RepositoryFact:
    """Return what is known of a working copy of Subversion; its commit is the number of the revision."""
    deadline = time.monotonic() + limits.seconds
    fact = model.empty_fact("svn", root)
    program = find_program("svn", environ)
    if program is None:
        fact["problem"] = "Subversion is not installed, so its revision and its changes are not known."
        return fact
    settings = {"PATH": absolute_path(environ), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "SVN_EDITOR": "false"}
    try:
        with make_folder() as folder:
            common: list[str | bytes] = ["--non-interactive", "--config-dir", folder]
            # Asked from within: what follows an @ in a folder's name would be a revision to some of its commands.
            questions = [
                Question([program, *words, *common], settings, limit=limit, folder=root)
                for words, limit in (
                    (("info", "--xml"), _LIMIT),
                    (("status", "--xml", "--ignore-externals"), _LIMIT),
                    (("diff", "--internal-diff"), limits.diff),
                )
            ]
            collect(questions, deadline)
            info, status, diff = questions
    except OSError as error:
        fact["problem"] = f"Subversion could not be asked: {error.strerror or error}."
        return fact
    if not (info.is_answered and status.is_answered and (diff.is_answered or diff.is_cut)):
        model.add_failure(fact, "Subversion", deadline, "something of this")
    if info.is_answered:
        _keep_information(fact, bytes(info.answer))
    if status.is_answered:
        model.keep_changed(fact, list(_read_status(bytes(status.answer))))
    if diff.is_answered or diff.is_cut:
        model.keep_diff(fact, bytes(diff.answer), cut=diff.is_cut)
    return fact


def _keep_information(fact: RepositoryFact, answer: bytes) -> None:
    entry = _parse(answer).find("entry")
    if entry is None:
        return
    fact["commit"] = entry.get("revision")
    from urllib.parse import unquote

    relative = unquote((entry.findtext("relative-url") or "").removeprefix("^/"))
    kind, _, name = relative.partition("/")
    fact["branch"] = relative or None
    fact["tag"] = name or None if kind == "tags" else None
    url = entry.findtext("url")
    fact["remote"] = strip_credentials(url) if url else None
    date = entry.findtext("commit/date")
    if date:
        try:
            moment = datetime.strptime(date, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        except ValueError:
            return
        fact["committed"] = model.format_time(moment.timestamp())


def _read_status(answer: bytes) -> Iterator[ChangedFile]:
    for entry in _parse(answer).iter("entry"):
        status = entry.find("wc-status")
        item = status.get("item", "") if status is not None else ""
        state = _STATES.get(item)
        if state is None and status is not None and status.get("props") == "modified":
            state = "modified"
        if state:
            yield {"path": entry.get("path", ""), "state": state}


def _parse(answer: bytes) -> ET.Element:
    """Return what svn wrote; it escapes what a working copy holds, and no document type can stand in it."""
    try:
        return ET.fromstring(answer)  # noqa: S314 -- see above; libexpat bounds what entities may grow to
    except ET.ParseError:
        return ET.Element("nothing")
