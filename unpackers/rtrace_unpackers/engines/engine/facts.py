"""What an engine reports: what it can do, and the images and containers that it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["image", "container"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine can do on its machine; ``is_confined`` is True if every container has a seccomp filter."""

    is_confined: bool
    memory: bool
    cpus: bool
    processes: bool


@dataclass(frozen=True, slots=True)
class Thing:
    """An image or a container, as an engine describes it."""

    kind: Kind
    id: str
    labels: Mapping[str, str]
    names: tuple[str, ...]
    facts: Mapping[str, Any]


def read_things(kind: Kind, text: str) -> tuple[Thing, ...]:
    """Return what an engine's `inspect` describes."""
    try:
        described = json.loads(text)
    except ValueError:
        return ()
    things = []
    for facts in described:
        labels = (facts.get("Config") or {}).get("Labels") or {}
        names = (facts.get("RepoTags") or ()) if kind == "image" else (str(facts.get("Name", "")).lstrip("/"),)
        things.append(Thing(kind, facts["Id"], labels, tuple(names), facts))
    return tuple(things)
