"""Secrets in the addresses of a manifest: where content is fetched, and where packages came from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.printable import printable

if TYPE_CHECKING:
    from rtrace.manifest.model import Elsewhere
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.decisions import Concealment


def conceal_addresses(plan: PackingPlan) -> PackingPlan:
    """Give a plan whose addresses have no secrets."""
    concealment, manifest = plan.concealment, plan.manifest
    packages = tuple(
        replace(package, origin=concealment.conceal_address(f"origin of {package.name}", package.origin))
        if package.origin
        else package
        for package in manifest.packages
    )
    return replace(
        plan,
        manifest=replace(
            manifest,
            packages=packages,
            elsewhere=tuple(_conceal_one(concealment, one) for one in manifest.elsewhere),
        ),
        elsewhere={path: _conceal_one(concealment, one) for path, one in plan.elsewhere.items()},
    )


def _conceal_one(concealment: Concealment, one: Elsewhere) -> Elsewhere:
    if one.url is None:
        return one
    return replace(one, url=concealment.conceal_address(f"address of {printable(one.path)}", one.url))
