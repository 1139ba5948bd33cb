"""What git says of a working tree: commit, branch, tag, remotes, changed files and the diff of what is not committed.

The git that is asked never reads the repository's own settings. Its repository is a folder of ours: HEAD is the commit,
the objects are found by an alternate, the index is a copy, and the settings are a few that say how files are compared,
each one of a known set of words. So there is no hook, filter, monitor, helper, alias or remote that it could start, no
submodule that it would enter, no lock that it could leave, and no owner that it would have to trust.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping

from rtrace.files.reading import open_content
from rtrace.printable import name_some, printable
from rtrace.record.document import ChangedFile, RepositoryFact
from rtrace.record.facts.version_control import layout, model
from rtrace.record.facts.version_control.configuration import LARGEST_CONFIGURATION
from rtrace.record.facts.version_control.layout import GitFolders
from rtrace.record.facts.version_control.remotes import strip_credentials
from rtrace.record.facts.version_control.running import Question, absolute_path, collect, find_program, make_folder

_STATUS_LIMIT = 16 << 20
_MOST_CANDIDATES = 2000
_EMPTY_TREES = {"sha1": b"4b825dc642cb6eb9a060e54bf8d69288fbee4904",
                "sha256": b"6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"}  # fmt: skip
_WORDS = ("true", "false", "yes", "no", "on", "off", "0", "1")
_KEPT_SETTINGS = {
    "core.filemode": _WORDS, "core.symlinks": _WORDS, "core.ignorecase": _WORDS, "core.trustctime": _WORDS,
    "core.checkstat": ("default", "minimal"), "core.autocrlf": (*_WORDS, "input"), "core.eol": ("lf", "crlf", "native"),
    "core.precomposeunicode": _WORDS,
}  # fmt: skip
"""Settings by which git compares files, and the words that they may be."""
_OWN_SETTINGS = """\
[core]
\trepositoryFormatVersion = {version}
\tbare = false
\tlogAllRefUpdates = false
\tfsmonitor = false
\tuntrackedCache = false
\thooksPath = /dev/null
\tattributesFile = /dev/null
\tsafecrlf = false
\tquotePath = true
\tbigFileThreshold = 16m
\tpreloadIndex = true
[diff]
\tautoRefreshIndex = false
\tmnemonicPrefix = false
\tnoprefix = false
[gc]
\tauto = 0
[protocol]
\tallow = never
"""
_PROGRAM_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--submodule=short",
                 "--ignore-submodules=dirty", "--src-prefix=a/", "--dst-prefix=b/")  # fmt: skip
_PROGRAM_STATUS = ("status", "--porcelain=v2", "-z", "--untracked-files=normal", "--no-renames",
                   "--ignore-submodules=dirty")  # fmt: skip
_STATES = {"A": "added", "D": "deleted", "M": "modified", "T": "type changed", "U": "unmerged"}


def read_git(root: bytes, limits: model.Limits, environ: Mapping[str, str]) -> RepositoryFact:
    """Return what is known of the repository whose working tree, or whose bare folder, this is."""
    deadline = time.monotonic() + limits.seconds
    fact = model.empty_fact("git", root)
    folders = layout.find_folders(root)
    if folders is None:
        fact["problem"] = "Its .git leads to a folder that does not lead back here, and was not looked into."
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
        with make_folder("git", layout.find_size(folders.own, b"index")) as folder:
            _Inquiry(program, folders, commit, folder, environ, fact).ask(limits.diff, deadline)
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
    """A repository folder of our own beside the real one, and what git answers in it."""

    def __init__(
        self, program: str, folders: GitFolders, commit: bytes | None, folder: bytes, environ: Mapping[str, str],
        fact: RepositoryFact,
    ) -> None:  # fmt: skip
        self.program = program
        self.folders = folders
        self.commit = commit
        self.folder = folder
        self.fact = fact
        self.form = "sha256" if (folders.setting("extensions.objectformat") or "").lower() == "sha256" else "sha1"
        self.tags: dict[bytes, str] = {}
        home = os.fsdecode(folder)
        self.environ: dict[str, str | bytes] = {
            "PATH": absolute_path(environ), "LC_ALL": "C", "HOME": home, "XDG_CONFIG_HOME": home,
            "GIT_DIR": folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull, "GIT_ATTR_NOSYSTEM": "1", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "GIT_CEILING_DIRECTORIES": "/",
        }  # fmt: skip
        if folders.root is not None:
            self.environ["GIT_WORK_TREE"] = folders.root

    def ask(self, diff_limit: int, deadline: float) -> None:
        """Ask git, and add what it says to the record. Raises OSError."""
        has_index = self._furnish()
        questions = []
        status = history = None
        if self.commit:
            history = self._question(_STATUS_LIMIT, "for-each-ref", f"--points-at={self.commit.decode('ascii')}",
                                     "--format=%(refname) %(committerdate:unix)", "refs/rtrace")  # fmt: skip
            questions.append(history)
        if self.folders.root is not None and has_index:
            status = self._question(_STATUS_LIMIT, *_PROGRAM_STATUS)
            questions.append(status)
        collect(questions, deadline)
        if history is not None:
            self._keep_history(history)
        if status is None:
            return
        if status.status != 0 or (status.is_cut and not status.answer):
            self._say_failed(deadline, "which files are changed")
            return
        model.keep_changed(self.fact, list(read_status(bytes(status.answer))))
        if self.fact["dirty"]:
            self._ask_diff(diff_limit, deadline)
        else:
            self.fact["diff"] = ""

    def _ask_diff(self, limit: int, deadline: float) -> None:
        base = self.commit or _EMPTY_TREES[self.form]
        diff = self._question(limit, *_PROGRAM_DIFF, base.decode("ascii"))
        paths = [os.fsencode(file["path"]) for file in self.fact["changed"] if file["state"] in {"modified", "added"}]
        filters = self._question(_STATUS_LIMIT, "check-attr", "-z", "--stdin", "filter", given=b"\0".join(paths))
        collect([diff, filters], deadline)
        if not diff.is_cut and diff.status != 0:
            self._say_failed(deadline, "what was changed")
        else:
            model.keep_diff(self.fact, bytes(diff.answer), cut=diff.is_cut)
        fields = bytes(filters.answer).split(b"\0")
        filtered = [
            path
            for path, value in zip(fields[::3], fields[2::3], strict=False)
            if value not in {b"unspecified", b"unset"}
        ]
        if filtered:
            model.add_problem(
                self.fact,
                f"A filter of git belongs to {name_some(list(map(printable, filtered)))}, and was not started: "
                "what lies in the folder was compared with what the filter once made.",
            )

    def _say_failed(self, deadline: float, what: str) -> None:
        why = "took too long" if time.monotonic() >= deadline else "failed"
        model.add_problem(self.fact, f"Git {why}, so {what} is not known.")

    def _question(self, limit: int, *words: str, given: bytes = b"") -> Question:
        return Question([self.program, "--no-pager", *words], self.environ, limit=limit, given=given)

    def _furnish(self) -> bool:
        """Make the folder; return whether there is an index, without which nothing is tracked. Raises OSError."""
        for name in (b"objects", b"objects/info", b"refs", b"info"):
            os.mkdir(os.path.join(self.folder, name), 0o700)
        self._write(b"objects/info/alternates", quote_path(os.path.join(self.folders.common, b"objects")) + b"\n")
        self._write(b"HEAD", (self.commit or b"ref: refs/heads/none") + b"\n")
        self._write(b"config", "".join(self._list_settings()).encode())
        self._write(b"packed-refs", b"".join(self._list_references()))
        for name in (b"info/exclude", b"info/attributes"):
            content = layout.read_inside(self.folders.common, name, LARGEST_CONFIGURATION)
            if content:
                self._write(name, content)
        return self._copy_index()

    def _list_settings(self) -> Iterator[str]:
        yield _OWN_SETTINGS.format(version=1 if self.form == "sha256" else 0)
        if self.form == "sha256":
            yield "[extensions]\n\tobjectFormat = sha256\n"
        yield "[core]\n"
        for name, words in _KEPT_SETTINGS.items():
            value = (self.folders.setting(name) or "").lower()
            if value in words:
                yield f"\t{name.removeprefix('core.')} = {value}\n"

    def _list_references(self) -> Iterator[bytes]:
        """Yield references under names of ours: the commit, and the tags that may be of it."""
        if not self.commit:
            return
        yield self.commit + b" refs/rtrace/commit\n"
        direct = []
        for name, value, peeled in self.folders.find_tags():
            shown = name.decode("utf-8", "surrogateescape")
            if self.commit in {value, peeled}:
                direct.append(shown)
            elif peeled is None and len(self.tags) < _MOST_CANDIDATES:
                reference = b"refs/rtrace/tag%d" % len(self.tags)
                self.tags[reference] = shown
                yield value + b" " + reference + b"\n"
        if direct:
            self.fact["tag"] = min(direct)

    def _keep_history(self, history: Question) -> None:
        for line in bytes(history.answer).splitlines():
            reference, _, moment = line.partition(b" ")
            if reference == b"refs/rtrace/commit" and moment:
                self.fact["committed"] = model.format_time(int(moment))
            elif reference in self.tags:
                self.fact["tag"] = min(filter(None, (self.tags[reference], self.fact["tag"])))
        if self.fact["committed"] is None:
            model.add_problem(self.fact, "Git could not read the commit, so when it was made is not known.")

    def _copy_index(self) -> bool:
        """Copy the index, and what a split one shares, with its times: by them git knows what to look at again."""
        if not copy_inside(self.folders.own, b"index", self.folder):
            return False
        with contextlib.suppress(OSError), os.scandir(self.folders.own) as entries:
            for entry in entries:
                if entry.name.startswith(b"sharedindex."):
                    copy_inside(self.folders.own, entry.name, self.folder)
        return True

    def _write(self, name: bytes, content: bytes) -> None:
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(content)


def copy_inside(folder: bytes, name: bytes, target: bytes) -> bool:
    """Copy a regular file with its times, if it is there and not too large; return whether it was. Raises OSError."""
    try:
        descriptor = open_content(os.path.join(folder, name))
    except OSError:  # ENOENT: nothing was ever added; ELOOP: a symlink
        return False
    with open(descriptor, "rb") as source:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > layout.LARGEST_INDEX:
            return False
        path = os.path.join(target, name)
        with open(path, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


def read_status(answer: bytes) -> Iterator[ChangedFile]:
    """Yield the changed files that `git status --porcelain=v2 -z` tells; what was cut off is left out."""
    for line in answer.split(b"\0")[:-1]:
        kind, _, rest = line.partition(b" ")
        if kind == b"?":
            yield _changed(rest, "untracked")
        elif kind == b"1":
            letters, *_others, path = rest.split(b" ", 7)
            yield _changed(path, _name_state(letters.decode("ascii", "replace")))
        elif kind == b"u":
            yield _changed(rest.split(b" ", 9)[-1], "unmerged")


def _name_state(letters: str) -> str:
    """Return the state of a file by the letters of the index and of the working tree."""
    return next((_STATES[letter] for letter in "DAT" if letter in letters), "modified")


def _changed(path: bytes, state: str) -> ChangedFile:
    return {"path": path.decode("utf-8", "surrogateescape"), "state": state}


def quote_path(path: bytes) -> bytes:
    """Return a path in git's quotes, in which every byte can stand."""
    return b'"' + b"".join(bytes((byte,)) if _is_plain(byte) else b"\\%03o" % byte for byte in path) + b'"'


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b'"\\'  # noqa: PLR2004 -- printable ASCII
