"""What of the caller's machine a person opens to a replay, as a value; by default nothing."""

from __future__ import annotations

from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port of the caller's machine, at one of its addresses, that leads to a port of the replay."""

    host: int
    target: int
    address: str = LOOPBACK


@dataclass(frozen=True, slots=True)
class Grants:
    """What a replay may use besides its own files, processors and memory.

    ``network``: the caller's network. ``ports``: what the replay serves at these can be reached from the machine, while
    it reaches nothing itself. ``display``: the caller's X11 or Wayland display, which shows it all that is typed there.
    ``gpu``: the machine's graphics processors. ``calls``: names of `rtrace.limits.ALLOWABLE`.
    ``emulation``: programs for another kind of processor may be run by an emulator of the machine's.
    """

    network: bool = False
    ports: tuple[Port, ...] = ()
    display: bool = False
    gpu: bool = False
    calls: frozenset[str] = frozenset()
    emulation: bool = False


NOTHING = Grants()


def describe_grants(grants: Grants) -> tuple[str, ...]:
    """Return what of the machine is opened to a replay, a sentence each."""
    sentences = []
    if grants.network:
        sentences.append("the replay has this machine's network")
    for port in grants.ports:
        place = f"[{port.address}]" if ":" in port.address else port.address
        who = "every user of this machine" if is_loopback(port.address) else "everybody who reaches this address"
        sentences.append(f"{place}:{port.host} leads to port {port.target} of the replay; {who} can use it")
    if grants.display:
        sentences.append("the replay is shown your display")
    if grants.gpu:
        sentences.append("the replay is shown the graphics processors")
    if grants.calls:
        sentences.append(f"the replay may use: {', '.join(sorted(grants.calls))}")
    return tuple(sentences)


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine alone."""
    return address.startswith("127.") or address == "::1"
