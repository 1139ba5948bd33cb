"""What git says of a working tree: commit, branch, tag, remotes, changed files and the diff of what is not committed.

The git that is asked never reads the repository's own settings: it runs in a folder of ours. So there is no hook,
filter, monitor, helper, alias or remote that it could start, no submodule that it would enter, no lock that it could
leave, and no owner that it would have to trust.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rtrace.printable import name_some, printable
from rtrace.record.facts.version_control import layout, model
from rtrace.record.facts.version_control.earlier import (
    MOST_COPIES,
    Division,
    Earlier,
    Entry,
    Stamp,
    divide,
    read_stamps,
)
from rtrace.record.facts.version_control.furnishing import COMMIT, OWN_REFERENCES, OwnFolder
from rtrace.record.facts.version_control.layout import GitFolders
from rtrace.record.facts.version_control.pointers import FILTER, is_pointer, make_pointer, read_answers
from rtrace.record.facts.version_control.remotes import strip_credentials
from rtrace.record.facts.version_control.running import Question, collect, find_program, make_folder

if TYPE_CHECKING:
    from rtrace.record.document import RepositoryFact

_LIMIT = 16 << 20
_COMPARE = ("--no-renames", "--ignore-submodules=dirty")
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--src-prefix=a/",
         "--dst-prefix=b/", *_COMPARE)  # fmt: skip
_STATUS = ("status", "--porcelain=v2", "-z", "--untracked-files=normal", *_COMPARE)
_STATES = {"A": "added", "D": "deleted", "M": "modified", "T": "type changed", "U": "unmerged"}


def read_git(root: bytes, limits: model.Limits, environ: Mapping[str, str], earlier: Earlier) -> RepositoryFact:
    """Return what is known of the repository whose working tree, or whose bare folder, this is.

    ``earlier`` has the content of files as it was before the run, for which they are told.
    """
    deadline = time.monotonic() + limits.seconds
    fact = model.empty_fact("git", root)
    folders = layout.find_folders(root)
    if folders is None:
        fact["problem"] = (
            "Its .git leads to a folder that does not lead back here, by `git worktree` or its setting core.worktree, "
            "and was not looked into."
        )
        return fact
    commit, branch = folders.read_head()
    fact["commit"] = commit.decode("ascii") if commit else None
    fact["branch"] = branch.decode("utf-8", "surrogateescape") if branch else None
    fact["remote"], fact["upstream"] = find_remotes(folders, fact["branch"])
    if folders.setting("extensions.refstorage") not in (None, "files"):
        fact["commit"] = fact["branch"] = None
        model.add_problem(fact, "Its references are in a form that rtrace does not read, so its commit is not known.")
        return fact
    program = find_program("git", environ)
    if program is None:
        model.add_problem(fact, "Git is not installed, so what was changed since the commit is not known.")
        return fact
    try:
        with make_folder(layout.find_size(folders.own, b"index")) as folder:
            own = OwnFolder(program, folders, commit, folder, environ)
            _Inquiry(own, fact, limits.diff, deadline).ask(earlier)
    except OSError as error:
        model.add_problem(fact, f"Git could not be asked: {error.strerror or error}.")
    return fact


def find_remotes(folders: GitFolders, branch: str | None) -> tuple[str | None, str | None]:
    """Return the address that the branch follows, else that of `origin` or of the only remote, and of `upstream`."""
    names = [
        name[len("remote.") : -len(".url")] for name in folders.settings if re.fullmatch(r"(?s)remote\..+\.url", name)
    ]
    wanted = [folders.setting(f"branch.{branch}.remote") if branch else None, "origin", *names[: len(names) == 1]]
    name = next((name for name in wanted if name in names), None)
    urls = [folders.setting(f"remote.{chosen}.url") if chosen else None for chosen in (name, "upstream")]
    remote, upstream = (strip_credentials(url) if url else None for url in urls)
    return remote, upstream


class _Inquiry:
    """What git answers of one repository, put into the record of it."""

    def __init__(self, own: OwnFolder, fact: RepositoryFact, limit: int, deadline: float) -> None:
        self.own = own
        self.fact = fact
        self.limit = limit
        self.deadline = deadline

    def ask(self, earlier: Earlier) -> None:
        """Ask git, and add what it says to the record. Raises OSError."""
        own = self.own
        history = status = None
        moment = own.folders.read_commit_time(own.commit) if own.commit and not own.tags else None
        if moment is not None:
            self.fact["committed"], self.fact["tag"] = model.format_time(moment), own.tag
        elif own.commit:
            points = f"--points-at={own.base}"
            history = own.question(
                _LIMIT, "for-each-ref", points, "--format=%(refname) %(committerdate:unix)", OWN_REFERENCES
            )
        if own.folders.root is not None and own.has_index:
            status = own.question(_LIMIT, *_STATUS)
        collect(filter(None, (history, status)), self.deadline)
        if history is not None:
            self._keep_history(history)
        if status is None or own.folders.root is None:
            return
        if not status.is_answered and not (status.is_cut and status.answer):
            self._say_failed("which files are changed")
            return
        division = divide(own.folders.root, list(read_status(bytes(status.answer))), earlier, self._list_stamps)
        if division.unknown:
            names = name_some([printable(path) for path in division.unknown])
            model.add_problem(
                self.fact, f"The content that {names} had before the run is not known; the diff is of the one after it."
            )
        self._look_through_filters(division)
        before, diffs = self._compare_earlier(division.earlier, division.contents)
        entries = sorted([*division.untouched, *before])
        model.keep_changed(
            self.fact,
            [{"path": entry.path.decode("utf-8", "surrogateescape"), "state": entry.state} for entry in entries],
        )
        if any(entry.state != "untracked" for entry in division.untouched):
            left_out = [b":(top,exclude,literal)" + entry.path for entry in division.earlier]
            diffs.insert(0, own.question(self.limit, *_DIFF, own.base, "--", *left_out))
        collect(diffs, self.deadline)
        self._keep_diff(diffs)

    def _compare_earlier(
        self, entries: Sequence[Entry], contents: Mapping[bytes, bytes | None]
    ) -> tuple[list[Entry], list[Question]]:
        """Return which files are not as committed by what the index is to say of them, and what asks for their diff."""
        own = self.own
        if not entries:
            return [], []
        lines = []
        for entry in entries:
            if entry.path not in contents:
                continue
            content = contents[entry.path]
            name = b"0" * len(own.base) if content is None else own.add_content(content)
            lines.append(b"%b %b\t%b\0" % (b"0" if content is None else entry.mode, name, entry.path))
        update = own.question(_LIMIT, "update-index", "-z", "--index-info", given=b"".join(lines))
        collect([update], self.deadline)
        paths = [b":(top,literal)" + entry.path for entry in entries]
        listing = own.question(
            _LIMIT, "diff", "--cached", "--raw", "-z", "--abbrev=40", *_COMPARE, own.base, "--", *paths
        )
        diff = own.question(self.limit, *_DIFF, "--cached", own.base, "--", *paths)
        collect([listing], self.deadline)
        if not (update.is_answered and listing.is_answered):
            self._say_failed("which files were changed before the run")
        fields = bytes(listing.answer).split(b"\0")
        return [
            Entry(path, _STATES.get(line[-1:].decode("ascii", "replace"), "modified"))
            for line, path in zip(fields[::2], fields[1::2], strict=False)
        ], [diff]

    def _list_stamps(self, paths: list[bytes]) -> dict[bytes, Stamp]:
        listing = self.own.question(
            _LIMIT, "ls-files", "-z", "--debug", "--", *(b":(top,literal)" + path for path in paths)
        )
        collect([listing], self.deadline)
        return read_stamps(bytes(listing.answer)) if listing.is_answered else {}

    def _keep_diff(self, diffs: Sequence[Question]) -> None:
        if any(not diff.is_answered and not diff.is_cut for diff in diffs):
            self._say_failed("what was changed")
            return
        text = b"".join(bytes(diff.answer) for diff in diffs)
        model.keep_diff(self.fact, text[: self.limit], cut=len(text) > self.limit or any(diff.is_cut for diff in diffs))

    def _look_through_filters(self, division: Division) -> None:
        """Compare changed files that pass through a filter, as far as it is known what the filter would do."""
        changed = {entry.path: entry for entry in division.untouched if entry.state in {"modified", "added"}}
        if not changed:
            return
        filters = self.own.question(_LIMIT, "check-attr", "-z", "--stdin", "filter", given=b"\0".join(changed))
        collect([filters], self.deadline)
        fields = bytes(filters.answer).split(b"\0")
        filtered = {
            path: value
            for path, value in zip(fields[::3], fields[2::3], strict=False)
            if value not in {b"unspecified", b"unset"}
        }
        pointing = self._find_pointing([changed[path] for path, value in filtered.items() if value == FILTER])
        for entry in pointing:
            pointer = make_pointer(os.path.join(self.own.folders.root or b"", entry.path))
            if pointer is not None and time.monotonic() < self.deadline and len(division.earlier) < MOST_COPIES:
                division.untouched.remove(entry)
                division.earlier.append(entry)
                division.contents[entry.path] = pointer
                del filtered[entry.path]
        if filtered:
            names = name_some(list(map(printable, filtered)))
            model.add_problem(
                self.fact,
                f"A filter of git belongs to {names}, and was not started: what lies in the folder was compared with "
                "what the filter once made.",
            )

    def _find_pointing(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those files that the index has a pointer to."""
        names = b"".join(entry.name + b"\n" for entry in entries)
        if not names:
            return []
        batch = self.own.question(_LIMIT, "cat-file", "--batch", given=names)
        collect([batch], self.deadline)
        return [
            entry
            for entry, content in zip(entries, read_answers(bytes(batch.answer)), strict=False)
            if is_pointer(content)
        ]

    def _keep_history(self, history: Question) -> None:
        tag = self.own.tag
        for line in bytes(history.answer).splitlines():
            reference, _, moment = line.partition(b" ")
            if reference == COMMIT and moment:
                self.fact["committed"] = model.format_time(int(moment))
            elif reference in self.own.tags:
                tag = min(filter(None, (self.own.tags[reference], tag)))
        self.fact["tag"] = tag
        if self.fact["committed"] is None:
            model.add_problem(self.fact, "Git could not read the commit, so when it was made is not known.")

    def _say_failed(self, what: str) -> None:
        model.add_failure(self.fact, "Git", self.deadline, what)


def read_status(answer: bytes) -> Iterator[Entry]:
    """Yield the changed files that `git status --porcelain=v2 -z` tells; what was cut off is left out."""
    for line in answer.split(b"\0")[:-1]:
        kind, _, rest = line.partition(b" ")
        if kind == b"?":
            yield Entry(rest, "untracked")
        elif kind == b"1":
            letters, _sub, head, index, _tree, _head_name, name, path = rest.split(b" ", 7)
            mode = index if int(index) else head
            yield Entry(path, _name_state(letters.decode("ascii", "replace")), mode, name)
        elif kind == b"u":
            yield Entry(rest.split(b" ", 9)[-1], "unmerged")


def _name_state(letters: str) -> str:
    """Return the state of a file by the letters of the index and of the working tree."""
    return next((_STATES[letter] for letter in "DAT" if letter in letters), "modified")
