"""What a person says of a run after it, without the secrets that it was written with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.record.changing.annotating import make_annotation
from rtrace.record.facts.users import read_name
from rtrace.record.taking.secrets.redacting import RecordRedactor

if TYPE_CHECKING:
    from rtrace.record.document import Annotation


def write_annotation(
    *,
    label: str | None,
    reason: str | None,
    outcome: str | None,
    add_tags: list[str],
    remove_tags: list[str],
) -> Annotation:
    """Return a new annotation by this user; a secret in it is replaced by a word, as in what is said at the start."""
    redactor = RecordRedactor()

    def clean(what: str, text: str | None) -> str | None:
        return redactor.output(f"the {what}", text) if text else text

    return make_annotation(
        by=read_name(),
        label=clean("label", label),
        reason=clean("reason", reason),
        outcome=clean("outcome", outcome),
        add_tags=[redactor.output("a tag", tag) for tag in add_tags],
        remove_tags=remove_tags,
    )
