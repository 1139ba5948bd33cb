"""``rtrace annotate``: say more of a run."""

from __future__ import annotations

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.history_options import NO_RUN
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import say, warn
from rtrace.errors import UsageError
from rtrace.operations.history.annotating import write_annotation
from rtrace.record.changing.annotating import annotate
from rtrace.record.names import check_label, check_tags


@click.command(
    cls=RtraceCommand,
    statuses=NO_RUN,
    examples=(
        'rtrace annotate last -m "with the corrected forcing" -t baseline',
        'rtrace annotate 0193a5c1 --outcome "diverged after 40 steps" --remove-tag baseline',
    ),
)
@click.option("-m", "--reason", metavar="TEXT", help="Why it was run.")
@click.option("--outcome", metavar="TEXT", help="What came of it.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Add a tag.")
@click.option("--remove-tag", "removed", multiple=True, metavar="TAG", help="Take a tag away.")
@click.option("--label", metavar="NAME", help="Name the run; commands take the label in place of its id.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def command(
    runs: tuple[str, ...],
    *,
    reason: str | None,
    outcome: str | None,
    tags: tuple[str, ...],
    removed: tuple[str, ...],
    label: str | None,
) -> None:
    """Say why a run was made and what came of it, and give it tags or a label. An empty TEXT takes it back.

    A RUN is a label, the beginning of an id, last, or last~2 (two before the last). Who said what and when is kept in
    the record.
    """
    if reason is None and outcome is None and label is None and not tags and not removed:
        raise UsageError("there is nothing to say; give -m, --outcome, -t, --remove-tag or --label")
    if label is not None and len(runs) > 1:
        raise UsageError("a label names one run; name one")
    check_label(label)
    check_tags(tags)
    history = open_own_history()
    catalogue = history.catalogue()
    identifiers = [catalogue.resolve(name) for name in runs]
    for identifier in identifiers:
        has = history.read(identifier)["tags"] if removed else []
        for tag in removed:
            if tag not in has:
                warn(f"{catalogue.short(identifier)} has no tag {tag}, so none was taken away")
        annotation = write_annotation(
            label=label,
            reason=reason,
            outcome=outcome,
            add_tags=list(tags),
            remove_tags=list(removed),
        )
        history.replace(identifier, lambda record, said=annotation: annotate(record, said))  # type: ignore[misc]
        say(f"annotated {catalogue.short(identifier)}")
    catalogue.close()
