"""The claims of several manifests, taken over into the one of them all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.manifest.reading.claims import MOST_CLAIMS, STREAMS
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.manifest.merging.edited import Edited
    from rtrace.manifest.model import Claim, Manifest


def join_claims(joined: Manifest, sources: Sequence[Edited], problems: list[str]) -> tuple[Claim, ...]:
    """Return the claims of all, on runs and outputs as they are called now; say which ones have lost theirs."""
    named = {file.path: file for file in joined.outputs}
    known = {run.id for run in joined.runs}
    claims: dict[Claim, None] = {}
    for source in sources:
        paths = {file.name: file.path for file in source.manifest.outputs}
        for claim in source.manifest.claims:
            run = source.runs.get(claim.run)
            outputs = []
            for name in claim.outputs:
                file = named.get(paths[name]) if name in paths else None
                if file is not None and run in (file.runs or (run,)):
                    outputs.append(file.name)
                elif name not in paths and name in STREAMS:
                    outputs.append(name)
            if run not in known or len(outputs) < len(claim.outputs):
                problems.append(
                    f"a claim of {source.name} is on a result that is not one of all runs together "
                    f"({shorten(claim.claim)!r}); add it to the new manifest"
                )
            else:
                claims[replace(claim, run=str(run), outputs=tuple(outputs))] = None
    if len(claims) > MOST_CLAIMS:
        problems.append(f"there are {len(claims)} claims together; the first {MOST_CLAIMS} were taken over")
    return tuple(claims)[:MOST_CLAIMS]


def keep_claims(manifest: Manifest) -> Manifest:
    """Return a manifest without claims on outputs that it has no more; those by which others are judged stay."""
    names = {file.name for file in manifest.outputs} | set(STREAMS)
    kept = []
    for claim in manifest.claims:
        outputs = tuple(name for name in claim.outputs if name in names)
        if outputs or not claim.outputs:
            kept.append(replace(claim, outputs=outputs))
    return replace(manifest, claims=tuple(kept))
