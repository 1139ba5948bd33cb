"""What `check`, `audit` and `list` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from rtrace.answers.words import Identity, Sentence, write_identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.manifest.model import Secret
    from rtrace.operations.check import Checked
    from rtrace.privacy.searching.findings import Finding


class CheckAnswer(TypedDict):
    """Whether a bundle is intact."""

    intact: Annotated[bool, "every byte is what was packed"]
    reason: Annotated[Literal["damaged", "another"] | None, "why the answer is no; another: it has another identity"]
    problem: Sentence | None
    identity: Identity | None
    first: Annotated[int | None, "the first byte of the first damaged range, counted from 0"]
    last: Annotated[int | None, "the last byte of that range"]
    note: Annotated[str | None, "what could not be checked, in a sentence"]
    incomplete: Annotated[list[str], "what was not there to be packed, a sentence each"]


class SecretAnswer(TypedDict):
    """Something that looks like a secret; its value is never told."""

    rule: Annotated[str, "the name of the rule that it fits"]
    what: Sentence
    place: Annotated[str, "where it is: a file and line, an argument, a variable"]


class FoundSecretAnswer(SecretAnswer):
    """Something that looks like a secret, and what became of it."""

    fate: Annotated[str, "true: packed as it is; redacted; false: left out"]


class AuditAnswer(TypedDict):
    """What looks like a secret in a bundle."""

    found: list[SecretAnswer]


class ListingAnswer(TypedDict):
    """The files of a bundle that were chosen."""

    identity: Identity
    incomplete: Annotated[list[str], "what was not there to be packed, a sentence each"]
    files: Annotated[list[dict[str, object]], "the lines of the bundle's index, as FORMAT.md describes them"]


def answer_check(checked: Checked, problem: str | None, *, another: bool) -> CheckAnswer:
    """Return what `check` answers; ``another``: the bundle is intact, and not the one that was meant."""
    return {
        "intact": checked.problem is None,
        "reason": "damaged" if checked.problem is not None else "another" if another else None,
        "problem": problem,
        "identity": None if checked.identity is None else write_identity(checked.identity),
        "first": checked.first,
        "last": checked.last,
        "note": checked.note,
        "incomplete": list(checked.incomplete),
    }


def answer_audit(findings: Iterable[Finding]) -> AuditAnswer:
    """Return what `audit` answers."""
    return {"found": [{"rule": one.rule, "what": one.what, "place": one.place} for one in findings]}


def answer_secrets(secrets: Iterable[Secret]) -> list[FoundSecretAnswer]:
    """Return what looked like secrets."""
    return [{"rule": one.rule or "", "what": one.what, "place": one.place, "fate": one.pack.value} for one in secrets]
