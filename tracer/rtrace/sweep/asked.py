r"""What a person types behind ``--sweep``: ``[KIND:]NAME=VALUE,VALUE...``, split and nothing more.

A comma of a value is written ``\,`` and a backslash ``\\``; a backslash before anything else stays one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rtrace.errors import UsageError
from rtrace.printable import printable_text

Kind: TypeAlias = Literal["env", "arg", "input"]
"""What is changed: a variable of the environment, a word of the command line, an input file."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be swept: its kind, None where the name alone has to tell, and the values in their order."""

    kind: Kind | None
    name: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The name with its kind, as it was typed."""
        return self.name if self.kind is None else f"{self.kind}:{self.name}"


def read_asked(text: str) -> Asked:
    """Read what is to be swept. Raises UsageError."""
    name, sign, rest = text.partition("=")
    before, colon, after = name.partition(":")
    kind = before if colon and before in KINDS else None
    name = after if kind is not None else name
    shown = printable_text(text)
    if not sign or not name:
        raise UsageError(f"--sweep {shown!r} lacks a name or values; write --sweep NAME=VALUE,VALUE")
    if "\0" in text:
        raise UsageError(f"--sweep {shown!r} holds a null byte, which no variable, argument or path can")
    values = split_values(rest)
    if values == ("",):
        raise UsageError(f"--sweep {shown} names no value; write --sweep {printable_text(name)}=VALUE,VALUE")
    for place, value in enumerate(values):
        if value in values[:place]:
            raise UsageError(f"--sweep {printable_text(name)} names {printable_text(value)!r} twice; name a value once")
    return Asked(kind, name, values)


def split_values(text: str) -> tuple[str, ...]:
    """Return the values between commas."""
    values = [""]
    for part in re.findall(r"\\[\\,]|.", text, re.DOTALL):
        if part == ",":
            values.append("")
        else:
            values[-1] += part[-1]
    return tuple(values)


def write_value(value: str) -> str:
    """Return a value as it is typed between commas."""
    return re.sub(r"[\\,]", r"\\\g<0>", value)
