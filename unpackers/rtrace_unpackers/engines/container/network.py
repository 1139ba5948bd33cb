"""The network of a container: it has none, except during a replay that is allowed to use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing


@contextlib.contextmanager
def connected(engine: Engine, container: Thing, *, allow_network: bool) -> Iterator[None]:
    """Connect a container to the engine's default network while the block lasts, if that is allowed.

    One that a killed rtrace left it is taken away first.
    """
    networks = (container.facts.get("NetworkSettings") or {}).get("Networks") or {}
    for name in networks:
        if name != "none":
            engine.demand("network", "disconnect", "--force", name, container.id)
    if not allow_network:
        yield
        return
    if "none" in networks:
        engine.demand("network", "disconnect", "none", container.id)
    try:
        engine.demand("network", "connect", "bridge", container.id)
        try:
            yield
        finally:
            engine.demand("network", "disconnect", "bridge", container.id)
    finally:
        engine.demand("network", "connect", "none", container.id)
