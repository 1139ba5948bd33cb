"""Secrets in the addresses of a manifest: where content is fetched, and where packages came from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.printable import printable
from rtrace.privacy.redacting import redact_address

if TYPE_CHECKING:
    from rtrace.manifest.model import Elsewhere
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.redaction import Judge


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


def _redact_one(one: Elsewhere, judge: Judge) -> Elsewhere:
    """Return a place of content whose address holds no secrets."""
    if one.url is None:
        return one
    return replace(one, url=redact_address(f"address of {printable(one.path)}", one.url, judge))
