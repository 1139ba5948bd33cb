"""What comes by descriptor is an input: kept while it is read, nothing more taken, and there again in a replay."""

from __future__ import annotations

import fcntl
import os
import random
from contextlib import suppress
from pathlib import Path

from rtrace.capture.relay.input import PipeInput
from rtrace.capture.relay.keeping import Keeper
from rtrace.capture.relay.poller import Poller


def test_input_passes_on_everything_and_takes_what_is_read(tmp_path: Path) -> None:
    """However writes and reads follow each other, what was read is kept, and what was not is still in the pipe."""
    chance = random.Random(11)  # noqa: S311 -- the same each time
    for _ in range(12):
        outside, writing = os.pipe()
        inside, sink = os.pipe()
        for pipe in (inside, outside, writing):
            os.set_blocking(pipe, False)
        fcntl.fcntl(sink, 1031, fcntl.fcntl(outside, 1032))
        kept = tmp_path / "kept"
        file = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        poller = Poller()
        stream = PipeInput(poller, (os.dup(outside), sink), Keeper(file, 1 << 30))
        written = read = b""
        for _ in range(chance.randrange(1, 200)):
            if chance.random() < 0.5:
                data = chance.randbytes(chance.choice((1, 10, 4096, 5000, 70000)))
                with suppress(BlockingIOError):
                    written += data[: os.write(writing, data)]
            else:
                with suppress(BlockingIOError):
                    read += os.read(inside, chance.choice((1, 100, 4096, 65536)))
            while poller.wait(0):
                pass
            stream.look()
        ended = chance.random() < 0.5
        os.close(writing)
        stream.look()
        if ended:
            while data := (os.read(inside, 65536) if stream.sent > len(read) else b""):
                read += data
                stream.look()
            assert read == written
        told = stream.finish()
        assert told is not None
        assert kept.read_bytes() == read == written[: len(read)]
        rest = b""
        while data := os.read(outside, 65536):
            rest += data
        assert read + rest == written
        os.close(inside)
        stream.look()
        os.close(outside)
        os.close(file)
