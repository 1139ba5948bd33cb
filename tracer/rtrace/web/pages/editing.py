"""What a person says of a run: label, reason, outcome and tags, changed by the form of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from rtrace.errors import UsageError
from rtrace.operations.history.annotating import write_annotation
from rtrace.printable import printable_text
from rtrace.record.changing.annotating import annotate
from rtrace.record.names import check_label

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.web.site import Visit

MOST_TEXT, MOST_TAGS, MOST_TAG = 10_000, 100, 100
"""Characters of what is said, how many tags, and characters of one."""


def annotate_run(visit: Visit, run: str) -> Response:
    """Note what was changed in the form, and lead back to the run."""
    form = visit.request.form
    said = {name: _read_change(form.get(name), form.get(f"{name}_before")) for name in ("label", "reason", "outcome")}
    shown, tags = split_tags(form.get("tags_before", "")), split_tags(form.get("tags", ""))
    new = [tag for tag in tags if tag not in shown]
    if len(new) > MOST_TAGS or any(len(tag) > MOST_TAG for tag in new):
        raise BadRequest(f"At most {MOST_TAGS} tags can be added at once, of {MOST_TAG} characters at most.")
    try:
        check_label(said["label"])
    except UsageError as error:
        raise BadRequest(f"{error}.") from None

    def change(record: Record) -> Record:
        # Compared with what the page has shown, so that what others said meanwhile stays.
        added = [tag for tag in new if tag not in record["tags"]]
        removed = [tag for tag in record["tags"] if printable_text(tag) in shown and printable_text(tag) not in tags]
        if not added and not removed and all(text is None for text in said.values()):
            return record
        return annotate(
            record,
            write_annotation(
                label=said["label"],
                reason=said["reason"],
                outcome=said["outcome"],
                add_tags=added,
                remove_tags=removed,
            ),
        )

    visit.history.replace(run, change)
    return redirect(f"/run/{run}", 303, Response=Response)


def split_tags(text: str) -> list[str]:
    """Return the tags of a line, between which are commas."""
    return list(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip())))


def _read_change(given: str | None, shown: str | None) -> str | None:
    """Return a text of the form; None where it is as the page has shown it."""
    text, before = (None if one is None else one.replace("\r\n", "\n").strip() for one in (given, shown))
    if text is None or text == (before or ""):
        return None
    if len(text) > MOST_TEXT:
        raise BadRequest(f"A text has at most {MOST_TEXT} characters.")
    return text
