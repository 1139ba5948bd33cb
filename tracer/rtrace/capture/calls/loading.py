"""What is known of a program that is being executed: execve(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rtrace.capture.books.path_state import PathState, Uses


class Execution(NamedTuple):
    """An execve that has begun: kept until the kernel says that it happened.

    ``argv`` is None where the new program's stack will hold it unchanged.
    """

    state: PathState
    loading: Loading
    argv: tuple[bytes, ...] | None
    workingdir: bytes
    time: int


class Loading(NamedTuple):
    """How the kernel loads a program: what it reads for it, and whether it passes the arguments on unchanged.

    It does not for ``#!`` and binfmt_misc: the interpreter's name, and the file's, take the place of argv[0].
    ``identity`` are device, inode and modification time of the file, which gives privileges if ``privileged``.
    """

    identity: tuple[int, int, int]
    uses: Uses
    direct: bool
    privileged: bool
