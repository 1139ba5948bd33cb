"""Packages of systems: lists for apt, and what a Dockerfile installs and begins from.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from rtrace.declared.files.conda import add_spec
from rtrace.declared.files.requirements import ARCHIVES, add_requirement, read_requirements
from rtrace.declared.files.values import decode
from rtrace.declared.model import CONSTRAINT, MAIN, Declared
from rtrace.declared.names import INTERPRETER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.declared.model import Declarations, Ecosystem, Folder

_CONTINUED = re.compile(r"\\[ \t]*\r?\n(?:[ \t]*#.*\n)*")
_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(.*)$")
_SEPARATORS = {"&&", "||", ";", "|", "&", "(", ")", "{", "}"}
_DEBIAN_NAME = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?(?:=([^\s=]+)|/\S+)?")
_IMAGE = re.compile(
    r"(?:docker\.io/)?(?:library/)?(debian|ubuntu|fedora|alpine|rockylinux|almalinux):([0-9]+(?:\.[0-9]+)*)"
)
_PYTHON_IMAGE = re.compile(r"(?:docker\.io/)?(?:library/)?python:([0-9]+(?:\.[0-9]+)*)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_MANAGERS: dict[str, Ecosystem] = {
    "apt-get": "dpkg",
    "apt": "dpkg",
    "aptitude": "dpkg",
    "dnf": "rpm",
    "yum": "rpm",
    "microdnf": "rpm",
    "zypper": "rpm",
    "apk": "apk",
}
_WITH_VALUE = {
    "-o",
    "-t",
    "-c",
    "--target-release",
    "--option",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--channel",
}
_WITH_VALUE |= {"--find-links", "--trusted-host", "-p", "--prefix", "-n", "--name", "--target", "--virtual"}


def read_apt(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add the packages of a list for apt, one or more a line."""
    for line in decode(data).splitlines():
        for word in line.partition("#")[0].split():
            _add_system("dpkg", word, name, into)


def read_dockerfile(name: str, data: bytes, folder: Folder, into: Declarations) -> None:
    """Add what the commands of a Dockerfile install, and the system that its last image begins from."""
    base = None
    for line in _CONTINUED.sub(" ", decode(data)).splitlines():
        match = _INSTRUCTION.match(line)
        if match is None:
            continue
        if match[1].upper() == "FROM":
            words = [word for word in match[2].split() if not word.startswith("--")]
            base = words[0] if words else None
        elif match[1].upper() == "RUN":
            for command in split_commands(match[2]):
                _read_command(name, command, folder, into)
    image = _IMAGE.match(base) if base else None
    python = _PYTHON_IMAGE.match(base) if base else None
    if python is not None:
        into.items.append(Declared("python", INTERPRETER, f"=={python[1]}.*", name, CONSTRAINT))
    if image is not None:
        into.items.append(Declared("base", image[1], image[2], name, MAIN))


def split_commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line of a shell, as words; nothing of one that is cut off."""
    if line.lstrip().startswith("["):  # as a list in JSON
        line = line.replace("[", " ").replace("]", " ").replace(",", " ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    command: list[str] = []
    try:
        for word in lexer:
            if word in _SEPARATORS:
                yield command
                command = []
            else:
                command.append(word)
    except ValueError:  # a quotation without an end
        pass
    yield command


def _read_command(name: str, words: list[str], folder: Folder, into: Declarations) -> None:
    """Add what one command installs."""
    while words and (
        words[0] in {"sudo", "env", "exec", "time"} or words[0].startswith("--") or _VARIABLE.fullmatch(words[0])
    ):
        words = words[1:]
    program = posixpath.basename(words[0]) if words else ""
    if program in {"python", "python3"} and words[1:3] == ["-m", "pip"]:
        program, words = "pip", words[2:]
    if program == "uv" and words[1:2] == ["pip"]:
        program, words = "pip", words[1:]
    verbs = [word for word in words[1:] if not word.startswith("-")][:1]
    wanted = ["add"] if program == "apk" else ["install", "in"]
    if not verbs or verbs[0] not in wanted:
        return
    arguments = words[words.index(verbs[0]) + 1 :]
    if program in _MANAGERS:
        for word in _leave_out_options(arguments):
            _add_system(_MANAGERS[program], word, name, into)
    elif program in {"pip", "pip3"}:
        _read_pip(name, arguments, folder, into)
    elif program in {"conda", "mamba", "micromamba"}:
        for word in _leave_out_options(arguments):
            add_spec(word, name, into)


def _read_pip(name: str, arguments: list[str], folder: Folder, into: Declarations) -> None:
    """Add what pip is told to install; requirements that are copied into the image are those of the project."""
    files = [word for flag, word in itertools.pairwise(arguments) if flag in {"-r", "--requirement"}]
    for file in files:
        path = posixpath.normpath(file.lstrip("/"))
        for place in (path, posixpath.basename(path)):
            data = folder.read(place) if place not in into.files else None
            if data is not None:
                into.files.append(place)
                read_requirements(place, data, folder, into)
                break
    for word in _leave_out_options(arguments, "-r", "--requirement"):
        if not word.startswith((".", "/")) and "://" not in word and "$" not in word and not word.endswith(ARCHIVES):
            with contextlib.suppress(ValueError):  # a shell's word that is none of pip's
                add_requirement(word, name, MAIN, into)


def _leave_out_options(words: list[str], *more: str) -> Iterator[str]:
    skipping = False
    for word in words:
        if skipping:
            skipping = False
        elif word in _WITH_VALUE or word in more:
            skipping = True
        elif not word.startswith("-") and word not in {">", "<", ">>"}:
            yield word


def _add_system(ecosystem: Ecosystem, word: str, source: str, into: Declarations) -> None:
    match = (
        _DEBIAN_NAME.fullmatch(word.rstrip("+")) if ecosystem != "rpm" else re.fullmatch(r"([\w.+-]+)(?:=(\S+))?", word)
    )
    if match is not None:
        into.items.append(Declared(ecosystem, match[1], match[2] or "", source, MAIN))
