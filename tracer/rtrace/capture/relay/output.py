"""What a run writes, on its way through the relay to where it led before, and kept there."""

from __future__ import annotations

from rtrace.capture.kernel.terminal import OuterTerminal, adds_returns
from rtrace.capture.relay.channel import Channel
from rtrace.capture.relay.keeping import Keeper, Kept, ReturnRemover
from rtrace.capture.relay.poller import Poller

CHUNK = 1 << 16


class OutputChannel(Channel):
    """What the program writes. At a terminal the pty's newlines are kept as the program wrote them."""

    def __init__(
        self, poller: Poller, ends: tuple[int, int], keeper: Keeper, terminal: OuterTerminal | None = None
    ) -> None:
        """Keep what passes from the one to the other of ``ends``; ``terminal`` is where a session's output goes."""
        self.keeper: Keeper | None = keeper
        self.terminal = terminal
        self.remover = ReturnRemover() if terminal is not None else None
        super().__init__(poller, *ends, CHUNK)

    def take(self, data: bytes) -> None:
        """Keep it."""
        if self.keeper is None:
            return
        if self.remover is not None:
            held = self.remover.held
            if self.open and not adds_returns(self.source):
                self.remover.held = b""
                data = held + data
            else:
                data = self.remover.remove(data)
        self.keeper.add(data)

    def shape(self, data: bytes) -> bytes:
        """Drop the returns again where the terminal, which is not raw (a background job's), will add them itself."""
        if self.terminal is not None and self.terminal.cooked is None and adds_returns(self.sink):
            return data.replace(b"\r\n", b"\n")
        return data

    def ended(self, *, cut: bool) -> None:
        """Remember whether there may have been more."""
        if self.keeper is not None:
            self.keeper.cut = cut

    def finish(self) -> Kept | None:
        """Stop keeping, and return what came."""
        keeper, self.keeper = self.keeper, None
        if keeper is None:
            return None
        if self.remover is not None:
            keeper.add(self.remover.flush())
        return keeper.finish()
