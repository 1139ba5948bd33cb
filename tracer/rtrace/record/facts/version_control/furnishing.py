"""A repository folder of our own, in which git is asked about a real one.

It has the commit as HEAD, the objects by an alternate, a copy of the index, the lists of what is ignored and of which
files are text, and settings of ours; of the real settings a few that say how files are compared, each one of a known
set of words.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import zlib
from collections.abc import Iterator, Mapping

from rtrace.files.reading import open_content
from rtrace.path_text import to_text
from rtrace.record.facts.version_control import layout
from rtrace.record.facts.version_control.configuration import LARGEST_CONFIGURATION
from rtrace.record.facts.version_control.layout import GitFolders
from rtrace.record.facts.version_control.running import Question, absolute_path

OWN_REFERENCES = b"refs/rtrace"
COMMIT = OWN_REFERENCES + b"/commit"
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


class OwnFolder:
    """The folder, and git as it is started in it.

    ``tags`` are the names of tags that may be of the commit, by references of ours; ``tag`` is the first that is of it,
    as far as that is known without git.
    """

    def __init__(
        self, program: str, folders: GitFolders, commit: bytes | None, folder: bytes, environ: Mapping[str, str]
    ) -> None:
        """Make it in an empty folder. Raises OSError."""
        self.program = program
        self.folders = folders
        self.folder = folder
        self.commit = commit
        self.form = "sha256" if (folders.setting("extensions.objectformat") or "").lower() == "sha256" else "sha1"
        self.base = (commit or _EMPTY_TREES[self.form]).decode("ascii")
        self.tags: dict[bytes, str] = {}
        self.tag: str | None = None
        home = to_text(folder)
        self.environ: dict[str, str | bytes] = {
            "PATH": absolute_path(environ), "LC_ALL": "C", "HOME": home, "XDG_CONFIG_HOME": home,
            "GIT_DIR": folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull, "GIT_ATTR_NOSYSTEM": "1", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "GIT_CEILING_DIRECTORIES": "/",
        }  # fmt: skip
        if folders.root is not None:
            self.environ["GIT_WORK_TREE"] = folders.root
        self.has_index = self._furnish()

    def question(self, limit: int, *words: str | bytes, given: bytes = b"") -> Question:
        """Start git with some words, and what it reads. Raises OSError."""
        return Question([self.program, "--no-pager", *words], self.environ, limit=limit, given=given)

    def add_content(self, content: bytes) -> bytes:
        """Add a file's content to the objects, those of our own; return its name. Raises OSError."""
        whole = b"blob %d\0%b" % (len(content), content)
        name = hashlib.new(self.form, whole, usedforsecurity=False).hexdigest()
        path = os.path.join(b"objects", name[:2].encode(), name[2:].encode())
        os.makedirs(os.path.join(self.folder, os.path.dirname(path)), 0o700, exist_ok=True)
        self._write(path, zlib.compress(whole, 1))
        return name.encode()

    def _furnish(self) -> bool:
        """Make what is in the folder; return whether there is an index, without which nothing is tracked."""
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
        yield self.commit + b" " + COMMIT + b"\n"
        for name, value, peeled in self.folders.find_tags():
            shown = name.decode("utf-8", "surrogateescape")
            if self.commit in {value, peeled}:
                self.tag = min(filter(None, (shown, self.tag)))
            elif peeled is None and len(self.tags) < _MOST_CANDIDATES:
                reference = OWN_REFERENCES + b"/tag%d" % len(self.tags)
                self.tags[reference] = shown
                yield value + b" " + reference + b"\n"

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


def quote_path(path: bytes) -> bytes:
    """Return a path in git's quotes, in which every byte can stand."""
    return b'"' + b"".join(bytes((byte,)) if _is_plain(byte) else b"\\%03o" % byte for byte in path) + b'"'


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b'"\\'  # noqa: PLR2004 -- printable ASCII
