"""Outputs whose names change from run to run: with the time, a random part or a process id in them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

DAY = 86_400
_DATE = re.compile(
    rb"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2([0-2]\d|3[01])"
    rb"(?:[T_. -]?(?:[01]\d|2[0-3])[-_:.h]?[0-5]\d(?:[-_:.m]?[0-5]\d)?(?:\.\d+)?)?(?!\d)"
)
_EPOCH = re.compile(rb"(?<!\d)(\d{10})(?:\d{3}|\d{6}|\.\d+)?(?!\d)")
_RANDOM = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"  # RFC 9562, a UUID
    rb"|(?<=(?<![A-Za-z0-9])tmp)[a-z0-9_]{8}(?![A-Za-z0-9])"  # Python's tempfile
    rb"|(?<=(?<![A-Za-z0-9])tmp\.)[A-Za-z0-9]{6,10}(?![A-Za-z0-9])"  # mktemp(1)
    rb"|(?<=/Rtmp)[A-Za-z0-9]{6}(?![A-Za-z0-9])|(?<=/Rtmp\*/file)[0-9a-f]{6,16}(?![A-Za-z0-9])"  # R
    rb"|(?<=/pytest-)\d+(?=/|\Z)"  # the next number of those that are there
)
_TEMPORARY = re.compile(rb"\A/(?:tmp|var/tmp|dev/shm|run/user/\d+)/(?P<name>[^/]+)")
_TAIL = re.compile(
    rb"(?P<stem>[^/]*?)(?P<tail>(?<=[-_.])[A-Za-z0-9_]{6,12}|[a-z0-9_]{8}|[A-Za-z0-9]{6}|(?<=\D)\d{7,})(?P<suffix>(?:\.[A-Za-z]\w{0,9})?)"
)
"""A name as mkstemp(3), Python's tempfile and Go make it: what is said of it, a random part, an extension."""
_WORDS = re.compile(rb"[A-Z]?[a-z]+(?:[A-Z][a-z]+)*[A-Z]?\d*|[A-Z]+\d*|[a-z]*\d{1,6}|(?:19|20)\d{6}")
"""What looks like a random part and is not: words, perhaps with a number."""
_NUMBER = re.compile(rb"(?<![0-9A-Za-z])[1-9]\d{2,6}(?![0-9A-Za-z])")
_GLOB = re.compile(rb"[*?\[\]{}]")


def find_pattern(path: bytes, began: float, ended: float, pids: Collection[int], fixed: bytes = b"") -> bytes | None:
    """Return the glob pattern that another run's name of the same file would match; None for a name that stays.

    A time counts when it is one of the run (``began`` and ``ended`` are seconds since the Epoch, a day more or less for
    time zones), a number when it is the id of one of its processes. ``fixed`` is the folder above it that was there
    before the run, and is called so in another run as well. Names with glob characters are left alone.
    """
    if _GLOB.search(path):
        return None
    days = {
        time.strftime("%Y%m%d", time.gmtime(moment)).encode() for moment in (began - DAY, began, ended, ended + DAY)
    }

    def date(match: re.Match[bytes]) -> bytes:
        return b"*" if match[1] + match[3] + match[4] in days else match[0]

    def epoch(match: re.Match[bytes]) -> bytes:
        return b"*" if began - 1 <= int(match[1]) <= ended + 1 else match[0]

    def number(match: re.Match[bytes]) -> bytes:
        return b"*" if int(match[0]) in pids else match[0]

    def chance(_: re.Match[bytes]) -> bytes:
        return b"*"

    pattern = path
    rules = ((_TEMPORARY, _replace_tail), (_RANDOM, chance), (_RANDOM, chance), (_DATE, date), (_EPOCH, epoch))
    for expression, replace in (*rules, (_NUMBER, number)):  # random names twice: there may be some in random folders
        pattern = expression.sub(_after(len(fixed), replace), pattern)
    return pattern if pattern != path else None


def _after(place: int, replace: Callable[[re.Match[bytes]], bytes]) -> Callable[[re.Match[bytes]], bytes]:
    """Leave alone what ends before a place."""
    return lambda match: replace(match) if match.end() > place else match[0]


def _replace_tail(match: re.Match[bytes]) -> bytes:
    """Return a path in a folder of temporary files with a wildcard for its random part, if it has one."""
    parts = _TAIL.fullmatch(match["name"])
    if parts is None or _WORDS.fullmatch(parts["tail"]) or (not parts["stem"] and not parts["suffix"]):
        return match[0]
    return match[0].removesuffix(match["name"]) + parts["stem"] + b"*" + parts["suffix"]
