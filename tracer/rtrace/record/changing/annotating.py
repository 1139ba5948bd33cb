"""What a person says of a run after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.record.ids import new_id
from rtrace.record.times import now

if TYPE_CHECKING:
    from rtrace.record.document import Annotation, Record


def make_annotation(
    *,
    by: str | None = None,
    label: str | None = None,
    reason: str | None = None,
    outcome: str | None = None,
    add_tags: list[str] | None = None,
    remove_tags: list[str] | None = None,
) -> Annotation:
    """Return a new annotation, made now. An empty text takes back what was said; None leaves it."""
    return {
        "id": new_id(),
        "at": now(),
        "by": by,
        "label": label,
        "reason": reason,
        "outcome": outcome,
        "add_tags": add_tags or [],
        "remove_tags": remove_tags or [],
    }


def annotate(record: Record, annotation: Annotation) -> Record:
    """Return a record with one annotation more."""
    return merge_annotations(record, [annotation])


def merge_annotations(record: Record, annotations: list[Annotation]) -> Record:
    """Return a record with further annotations; those that it has already count once.

    All are applied in the order of their times, so that two copies of a record come out the same whichever of them was
    annotated first. What no annotation speaks of stays as it is.
    """
    known = {annotation["id"]: annotation for annotation in (*annotations, *record["annotations"])}
    ordered = sorted(known.values(), key=lambda one: (one["at"], one["id"]))
    merged = record.copy()
    merged["annotations"] = ordered
    tags = dict.fromkeys(record["tags"])
    for one in ordered:
        if one["label"] is not None:
            merged["label"] = one["label"] or None
        if one["reason"] is not None:
            merged["reason"] = one["reason"] or None
        if one["outcome"] is not None:
            merged["outcome"] = one["outcome"] or None
        for tag in one["remove_tags"]:
            tags.pop(tag, None)
        tags.update(dict.fromkeys(one["add_tags"]))
    merged["tags"] = sorted(tags)
    return merged
