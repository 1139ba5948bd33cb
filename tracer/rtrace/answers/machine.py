"""What `doctor` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.words import Sentence
from rtrace.replay.protocol import Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.replay.protocol import Ability


class AbilityAnswer(TypedDict):
    """Something that was tried on this machine."""

    part: Annotated[Part, "what it is for"]
    name: str
    works: bool
    detail: Annotated[Sentence, "what it is good for, or why it does not work"]


class DoctorAnswer(TypedDict):
    """What works on this machine, and what killed processes of rtrace left."""

    abilities: list[AbilityAnswer]
    leftovers: Annotated[list[str], "what is left of killed processes; --clean removes it"]
    cleaned: Annotated[list[str], "what --clean did, a sentence each"]


def answer_doctor(abilities: Iterable[Ability], leftovers: Iterable[str], cleaned: Iterable[str]) -> DoctorAnswer:
    """Return what `doctor` answers."""
    return {
        "abilities": [
            {"part": one.part, "name": one.name, "works": one.works, "detail": one.detail} for one in abilities
        ],
        "leftovers": list(leftovers),
        "cleaned": list(cleaned),
    }
