"""What Mercurial says of a working tree.

The settings of a repository, by which extensions and hooks would be loaded, are not read, and nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from rtrace.record.facts.version_control import layout, model
from rtrace.record.facts.version_control.configuration import LARGEST_CONFIGURATION
from rtrace.record.facts.version_control.remotes import strip_credentials
from rtrace.record.facts.version_control.restraining import make_filter, restrain
from rtrace.record.facts.version_control.running import Question, absolute_path, collect, find_program

if TYPE_CHECKING:
    from rtrace.record.document import ChangedFile, RepositoryFact

_LIMIT = 16 << 20
_TEMPLATE = r"{node}\0{branch}\0{bookmarks}\0{tags}\0{date|hgdate}\0"
_STATES = {b"M": "modified", b"A": "added", b"R": "deleted", b"!": "deleted", b"?": "untracked"}
_NO_COMMIT = "0" * 40


def read_mercurial(root: bytes, limits: model.Limits, environ: Mapping[str, str]) -> RepositoryFact:
    """Return what is known of a working tree of Mercurial."""
    deadline = time.monotonic() + limits.seconds
    fact = model.empty_fact("hg", root)
    fact["remote"], fact["upstream"] = find_remotes(root)
    program = find_program("hg", environ)
    if program is None:
        fact["problem"] = "Mercurial is not installed, so its commit and its changes are not known."
        return fact
    # HGRCSKIPREPO, of Mercurial 5.9, leaves .hg/hgrc unread; an older one would load the extensions that it names.
    settings = {
        "PATH": absolute_path(environ), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "HGPLAIN": "1", "HGRCPATH": "",
        "HGRCSKIPREPO": "1", "HGMERGE": "false", "HGEDITOR": "false", "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    program_filter = make_filter()
    first = None if program_filter is None else partial(restrain, program_filter)
    try:
        version = Question([program, "--version", "--quiet"], settings, limit=_LIMIT)
        collect([version], deadline)
        if not is_careful(bytes(version.answer)):
            fact["problem"] = (
                "This Mercurial is older than 5.9 and would load what a repository names: it was not asked."
            )
            return fact
        common: list[str | bytes] = [program, "--noninteractive", "--cwd", root, "-R", root]
        log = Question([*common, "log", "-r", ".", "-T", _TEMPLATE], settings, limit=_LIMIT, first=first)
        status = Question([*common, "status", "-0mardu"], settings, limit=_LIMIT, first=first)
        diff = Question([*common, "diff", "--git"], settings, limit=limits.diff, first=first)
        collect([log, status, diff], deadline)
    except OSError as error:
        fact["problem"] = f"Mercurial could not be asked: {error.strerror or error}."
        return fact
    if not (log.is_answered and status.is_answered and (diff.is_answered or diff.is_cut)):
        model.add_failure(fact, "Mercurial", deadline, "something of this")
    fields = bytes(log.answer).decode("utf-8", "surrogateescape").split("\0")
    if log.is_answered and len(fields) >= len(_TEMPLATE.split(r"\0")):
        node, branch, bookmarks, tags, moment, *_rest = fields
        fact["commit"] = node if node != _NO_COMMIT else None
        fact["branch"] = bookmarks or branch
        fact["tag"] = next((tag for tag in tags.split(" ") if tag and tag != "tip"), None)
        fact["committed"] = model.format_time(int(moment.split(" ")[0])) if fact["commit"] else None
    if status.is_answered:
        model.keep_changed(fact, list(_read_status(bytes(status.answer))))
    if diff.is_answered or diff.is_cut:
        model.keep_diff(fact, bytes(diff.answer), cut=diff.is_cut)
    return fact


def is_careful(answer: bytes) -> bool:
    """Whether a Mercurial of this version leaves a repository's settings unread when it is told to."""
    words = answer.partition(b"version ")[2].strip(b") \n").split(b".")
    try:
        return tuple(int(word.split(b"+")[0].split(b"rc")[0]) for word in words[:2]) >= (5, 9)
    except ValueError:
        return False


def find_remotes(root: bytes) -> tuple[str | None, str | None]:
    """Return the addresses of the paths `default` and `upstream` in the repository's settings."""
    section = ""
    found: dict[str, str] = {}
    content = layout.read_inside(os.path.realpath(os.path.join(root, b".hg")), b"hgrc", LARGEST_CONFIGURATION)
    for line in (content or b"").decode("utf-8", "surrogateescape").splitlines():
        if line.startswith("["):
            section = line.strip("[] \t")
        elif section == "paths" and "=" in line and not line.startswith(("#", ";", " ", "\t")):
            name, _, value = line.partition("=")
            found[name.strip()] = strip_credentials(value)
    return found.get("default"), found.get("upstream")


def _read_status(answer: bytes) -> Iterator[ChangedFile]:
    for line in answer.split(b"\0")[:-1]:
        state = _STATES.get(line[:1])
        if state:
            yield {"path": line[2:].decode("utf-8", "surrogateescape"), "state": state}
