"""A process that is killed while it unpacks: ``python -m rtrace_unpackers.conformance.killed NAME BUNDLE TARGET``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rtrace.progress import SilentProgress
from rtrace.replay.registry import load_unpacker


class Killing(SilentProgress):
    """Kills its own process when the first of the work is done."""

    def advance(self, amount: int) -> None:  # noqa: ARG002 -- what progress is told
        """End at once, as by a power cut."""
        os.kill(os.getpid(), signal.SIGKILL)


def main(name: str, bundle: str, target: str) -> None:
    """Unpack a bundle, and be killed in the midst."""
    load_unpacker(name).unpack(Path(bundle), Path(target), progress=Killing())


if __name__ == "__main__":
    main(*sys.argv[1:])
