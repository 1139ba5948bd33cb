"""The limits of a running container: changed, checked and measured by the engine."""

from __future__ import annotations

from rtrace.errors import TargetError
from rtrace.limits import Limits
from rtrace_unpackers.engines.container.arguments import plan_limits
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Abilities, Thing


class DiskUse:
    """The bytes that are written in a container from now on; without ``is_wanted`` the engine is not asked."""

    def __init__(self, engine: Engine, container: str, *, is_wanted: bool) -> None:
        self._engine = engine
        self._container = container
        self._size = 0
        self._before = self._ask() if is_wanted else 0

    def measure(self) -> int:
        """Return the bytes that were written."""
        return self._ask() - self._before

    def _ask(self) -> int:
        """Return the size of all that differs from the image; the last known one while the engine does not tell."""
        told = self._engine.call("container", "inspect", "--size", "--format", "{{.SizeRw}}", self._container).stdout
        if told.strip().isdigit():
            self._size = int(told)
        return self._size


def refuse_unconfined(engine: Engine, abilities: Abilities) -> None:
    """Raise TargetError when the engine lets containers make every system call."""
    if not abilities.is_confined:
        raise TargetError(
            f"`{engine.name} info` reports no seccomp filter for containers, so nothing would keep a replay from the "
            "kernel: start the engine with its default profile, or use the chroot unpacker"
        )


def change_limits(engine: Engine, container: Thing, limits: Limits) -> tuple[str, ...]:
    """Change the limits of a running container; return a sentence for each that the engine cannot change.

    Raises TargetError when it refuses to.
    """
    notes = []
    for name, options in plan_limits(limits, container.facts.get("HostConfig") or {}).items():
        done = engine.call("update", *options, container.id)
        if "unknown flag" in done.stderr:
            notes.append(
                f"this version of `{engine.name}` cannot change the limit of {name} that the container began with"
            )
        elif done.returncode != 0:
            raise engine.fail("update", done.returncode, done.stderr)
    return tuple(notes)


def ran_out_of_memory(engine: Engine, container: str) -> bool:
    """Whether the kernel killed something in a container when it last ran, for lack of memory."""
    found = engine.find("container", container)
    return found is not None and (found.facts.get("State") or {}).get("OOMKilled") is True
