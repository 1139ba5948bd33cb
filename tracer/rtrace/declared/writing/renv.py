"""renv.lock: https://rstudio.github.io/renv/reference/lockfile.html."""

from __future__ import annotations

import json

from rtrace.declared.writing.pins import Pins, Written

_INTERPRETERS = ("r-base-core", "r-base", "R-core", "R")


def write_renv(pins: Pins) -> Written:
    """Return the packages of R as a renv.lock."""
    version = next(
        (
            one.version.partition(":")[2].partition("-")[0] or one.version.partition("-")[0]
            for several in pins.packages.values()
            for one in several
            if one.name in _INTERPRETERS
        ),
        None,
    )
    packages = {
        one.name: {
            "Package": one.name,
            "Version": one.version,
            "Source": "Repository" if one.origin in {"", "CRAN"} else "unknown",
            "Repository": "CRAN",
        }
        for one in pins.of("R")
    }
    # renv fills in where CRAN is from the options of the session that restores
    document: dict[str, object] = {"R": {"Version": version or "unknown", "Repositories": []}, "Packages": packages}
    losses = () if version else ("the version of R itself is not known",)
    return Written(json.dumps(document, indent=2) + "\n", losses)
