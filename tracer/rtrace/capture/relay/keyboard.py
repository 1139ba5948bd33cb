"""What a person types, on its way through the relay to the run."""

from __future__ import annotations

from rtrace.capture.kernel.terminal import OuterTerminal
from rtrace.capture.relay.channel import Channel
from rtrace.capture.relay.poller import Poller

TYPED = 4096


class Keyboard(Channel):
    """What a person types; it is read only while the terminal is the tracer's."""

    def __init__(self, poller: Poller, terminal: OuterTerminal, source: int, sink: int) -> None:
        """Take it from ``source``, the terminal opened anew."""
        self.terminal = terminal
        self.waits = False
        super().__init__(poller, source, sink, TYPED)

    def pass_on(self, what: int = 0) -> None:
        """Read what was typed, unless a shell has the terminal now."""
        if self.terminal.is_ours():
            super().pass_on(what)
        else:
            self.waits = True
            self.pause()

    def look(self) -> None:
        """Read again if the terminal is ours again."""
        if self.waits and self.terminal.is_ours():
            self.waits = False
            self.terminal.take()
            self.resume()
