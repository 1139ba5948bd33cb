"""The formats in which what was used can be pinned, and which one a file's name means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.declared.writing.apt import write_apt
from rtrace.declared.writing.conda import write_environment
from rtrace.declared.writing.pylock import write_pylock
from rtrace.declared.writing.renv import write_renv
from rtrace.declared.writing.requirements import write_requirements
from rtrace.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.declared.writing.pins import Pins, Written


class PinFormat(NamedTuple):
    """A format: the usual name of its file, what other names mean it, and what writes it."""

    file: str
    names: re.Pattern[str]
    write: Callable[[Pins], Written]


FORMATS = {
    "apt": PinFormat("apt.txt", re.compile(r"(.*[-_.])?apt([-_.].*)?\.txt|Aptfile"), write_apt),
    "environment": PinFormat("environment.yml", re.compile(r".*\.ya?ml"), write_environment),
    "pylock": PinFormat("pylock.toml", re.compile(r"pylock(\.[^.]+)?\.toml"), write_pylock),
    "renv": PinFormat("renv.lock", re.compile(r".*renv.*\.lock"), write_renv),
    "requirements": PinFormat("requirements.txt", re.compile(r".*\.(txt|in)"), write_requirements),
}


def find_format(word: str) -> tuple[PinFormat, str | None]:
    """Return the format that a word means, and the path if the word is that of a file. Raises UsageError."""
    if word in FORMATS:
        return FORMATS[word], None
    name = word.rpartition("/")[2]
    for form in FORMATS.values():
        if form.names.fullmatch(name):
            return form, word
    known = ", ".join(form.file for form in FORMATS.values())
    raise UsageError(f"--write does not know what kind of file {word} is to be; call it one of {known}")
