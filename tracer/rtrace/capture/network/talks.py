"""Whom the run talked to, and by which name: other hosts, and servers of this machine that are not part of the run.

Where the program does not wait for a connection, it is judged when the program asks for its error, or at the end of the
run. So is a socket for datagrams that was only connected: the C library does that to sort addresses, and sends nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.network.addresses import Address


class Talk(NamedTuple):
    """A program's way to an address; ``process`` is the row of its process, ``tid`` the thread."""

    process: int
    tid: int
    program: str
    address: Address


class Talks:
    """Knows how far each talk got, and tells of it by the name of the host that was asked for."""

    def __init__(self, notices: NoticeBook) -> None:
        """Begin with no talk; what is certain is told to ``notices``."""
        self.notices = notices
        self.under_way: dict[tuple[int, int], Talk] = {}
        self.aimed: dict[Talk, None] = {}
        self.servers: dict[tuple[int, int], Talk] = {}
        self.asked: dict[tuple[int, int], dict[str, None]] = {}
        self.reached: set[int] = set()
        self.named: set[str] = set()

    def begin(self, descriptor: int, talk: Talk) -> None:
        """Note a connection that is under way."""
        self.under_way[talk.process, descriptor] = talk

    def find(self, process: int, descriptor: int) -> Talk | None:
        """Return the connection that is under way at a descriptor."""
        return self.under_way.get((process, descriptor)) if self.under_way else None

    def end(self, process: int, descriptor: int) -> None:
        """Forget that a connection is under way: it succeeded or failed."""
        del self.under_way[process, descriptor]

    def refuse(self, talk: Talk) -> None:
        """Count a connection as not made: its program had only sorted addresses before."""
        self._drop_aims(talk)

    def aim(self, talk: Talk) -> None:
        """Note a socket for datagrams that was connected to a host."""
        self.aimed[talk._replace(tid=0)] = None

    def establish(self, talk: Talk) -> None:
        """Tell of a connection that was made, or of a message that was sent."""
        self._drop_aims(talk)
        for key, other in tuple(self.under_way.items()):  # further addresses of the host: one was enough
            if (other.process, other.address.port) == (talk.process, talk.address.port):
                del self.under_way[key]
        self.reached.add(talk.process)
        self.notices.add_connection(talk.program, self._describe(talk))

    def ask_server(self, descriptor: int, talk: Talk) -> None:
        """Note a socket that leads to a name server."""
        self.servers[talk.process, descriptor] = talk

    def is_name_server(self, process: int, descriptor: int) -> bool:
        """Whether a descriptor leads to a name server."""
        return bool(self.servers) and (process, descriptor) in self.servers

    def ask(self, process: int, tid: int, name: str) -> None:
        """Note the name that a thread asked for last."""
        names = self.asked.setdefault((process, tid), {})
        names.pop(name, None)
        names[name] = None

    def finish(self) -> None:
        """Tell at the end of the run what is still undecided, and which names were asked for and led nowhere else."""
        for talk in self.aimed:
            self.notices.add_connection(talk.program, self._describe(talk))
            self.reached.add(talk.process)
        for talk in self.under_way.values():
            if talk.process not in self.reached:
                self.notices.add_attempt(talk.program, self._describe(talk))
        for talk in dict.fromkeys(talk._replace(tid=0) for talk in self.servers.values()):
            names = [name for (process, _), names in self.asked.items() if process == talk.process for name in names]
            for name in dict.fromkeys(names):
                if name not in self.named:
                    self.notices.add_question(talk.program, name)
            if not names and talk.process not in self.reached:
                self.notices.add_question(talk.program, "", talk.address.host)
        self.aimed.clear()
        self.under_way.clear()
        self.servers.clear()

    def _drop_aims(self, talk: Talk) -> None:
        for other in tuple(self.aimed):
            if (other.process, other.address.port) == (talk.process, talk.address.port):
                del self.aimed[other]

    def _describe(self, talk: Talk) -> str:
        """Return a host's address with the name that the program asked a name server for, or that /etc/hosts has."""
        address = talk.address
        place = address.host if address.port is None else f"{address.host} port {address.port}"
        if address.is_local:
            return place
        name = find_host(address.host) or self._find_question(talk)
        if name is None:
            return place
        self.named.add(name)
        return f"{name} ({address.host})" + ("" if address.port is None else f" port {address.port}")

    def _find_question(self, talk: Talk) -> str | None:
        """Return what this thread asked for last, or the one name that its process ever asked for."""
        own = self.asked.get((talk.process, talk.tid))
        if own:
            return next(reversed(own))
        names = {name for (process, _), names in self.asked.items() if process == talk.process for name in names}
        return names.pop() if len(names) == 1 else None


def find_host(address: str) -> str | None:
    """Return the first name that /etc/hosts has for an address, see hosts(5)."""
    try:
        with open("/etc/hosts", encoding="utf-8", errors="backslashreplace") as file:
            lines = [line.partition("#")[0].split() for line in file]
    except OSError:
        return None
    return next((words[1] for words in lines if len(words) > 1 and words[0] == address), None)
