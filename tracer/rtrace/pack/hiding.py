"""Steps of planning that keep secrets, and in an anonymous bundle names, out of a plan: each returns another plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.manifest.merging.claims import keep_claims
from rtrace.pack.choosing.notices import describe_secret_path
from rtrace.printable import printable
from rtrace.privacy.redacting import decide_on_trace, redact_address, redact_known, redact_run
from rtrace.privacy.secret_files import search_items
from rtrace.privacy.values import rewrite_value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from rtrace.manifest.model import Elsewhere, Manifest, Notice, Run
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.decisions import Decisions
    from rtrace.privacy.redaction import Judge
    from rtrace.progress import Progress


def redact_runs(connection: sqlite3.Connection, runs: Iterable[Run], decisions: Decisions) -> tuple[Run, ...]:
    """Decide on the secrets in everything that ran; return the runs without them."""
    decide_on_trace(connection, decisions)
    return tuple(redact_run(run, decisions) for run in runs)


def search_files(plan: PackingPlan, decisions: Decisions, progress: Progress) -> PackingPlan:
    """Return a plan whose files are left out or masked where they hold secrets."""
    searched = search_items(plan.items, decisions, progress)
    return add_notices(replace(plan, items=searched.items, masking=searched.masking), searched.notices)


def settle_secrets(plan: PackingPlan, runs: tuple[Run, ...], decisions: Decisions) -> PackingPlan:
    """Return a plan whose manifest has redacted runs, holds no known secret, and lists what becomes of each."""
    plan = add_notices(plan, decisions.unused)
    redaction = decisions.settle()
    debug(
        __name__,
        "secrets: %d places, %d values searched for everywhere, in arguments or environments: %s",
        len(redaction.secrets),
        len(redaction.values),
        redaction.in_trace,
    )
    manifest = replace(plan.manifest, runs=runs, secrets=redaction.secrets)
    manifest = _redact_manifest(manifest, decisions)
    return replace(plan, manifest=manifest, redaction=redaction)


def drop_secret_paths(plan: PackingPlan, decisions: Decisions) -> PackingPlan:
    """Redact known secrets in paths, and drop files whose path or target contains one."""
    if not decisions.values:
        return plan

    def has_secret(text: bytes) -> bool:
        return bool(decisions.find_known(text))

    def redact(text: bytes) -> bytes:
        return redact_known(text, decisions)

    secret_paths = {
        item.entry.path for item in plan.items if has_secret(item.entry.path) or has_secret(item.entry.target or b"")
    }
    secret_paths |= {after.path for after in plan.results if has_secret(after.path)}
    debug(__name__, "left out for secrets in their names: %d", len(secret_paths))
    plan = add_notices(plan, tuple(describe_secret_path(redact(path)) for path in sorted(secret_paths)))
    return replace(
        plan,
        manifest=_redact_manifest(plan.manifest, decisions),
        items=tuple(
            item
            for item in plan.items
            if not secret_paths.intersection((item.entry.path, item.entry.link, item.entry.twin))
        ),
        results=tuple(after for after in plan.results if after.path not in secret_paths),
        elsewhere={path: rewrite_value(one, redact) for path, one in plan.elsewhere.items()},
    )


def make_anonymous(connection: sqlite3.Connection, plan: PackingPlan, allowed: tuple[bytes, ...]) -> PackingPlan:
    """Return a plan that replaces names, its items in the order of their new paths."""
    from rtrace.privacy.anonymous.names import PersonalNames
    from rtrace.privacy.anonymous.order import sort_items
    from rtrace.privacy.anonymous.plan import plan_anonymity
    from rtrace.privacy.anonymous.records import find_people

    people = frozenset(find_people(record.content for record in plan.records))
    anonymity = plan_anonymity(connection, plan.manifest.runs, plan.items, plan.directory.streams, allowed, people)
    return replace(plan, items=sort_items(plan.items, PersonalNames(anonymity.pseudonyms).replace), anonymity=anonymity)


def add_notices(plan: PackingPlan, notices: Sequence[Notice]) -> PackingPlan:
    """Return a plan with further notices, which its manifest has, too."""
    manifest = replace(plan.manifest, notices=tuple(dict.fromkeys((*plan.manifest.notices, *notices))))
    return replace(plan, manifest=manifest, notices=(*plan.notices, *notices))


def redact_addresses(plan: PackingPlan, judge: Judge) -> PackingPlan:
    """Return a plan whose addresses hold no secrets."""
    manifest = plan.manifest
    packages = tuple(
        replace(package, origin=redact_address(f"origin of {package.name}", package.origin, judge))
        if package.origin
        else package
        for package in manifest.packages
    )
    return replace(
        plan,
        manifest=replace(
            manifest, packages=packages, elsewhere=tuple(_redact_one(one, judge) for one in manifest.elsewhere)
        ),
        elsewhere={path: _redact_one(one, judge) for path, one in plan.elsewhere.items()},
    )


def _redact_manifest(manifest: Manifest, decisions: Decisions) -> Manifest:
    """Return a manifest without known secrets; a file that is left out for its name is no input or output any more."""
    if not decisions.values:
        return manifest
    manifest = replace(
        manifest,
        inputs=tuple(file for file in manifest.inputs if not decisions.find_known(file.path)),
        outputs=tuple(file for file in manifest.outputs if not decisions.find_known(file.path)),
    )
    return rewrite_value(keep_claims(manifest), lambda content: redact_known(content, decisions))


def _redact_one(one: Elsewhere, judge: Judge) -> Elsewhere:
    """Return a place of content whose address holds no secrets."""
    if one.url is None:
        return one
    return replace(one, url=redact_address(f"address of {printable(one.path)}", one.url, judge))
