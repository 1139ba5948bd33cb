"""The unpackers ``docker`` and ``podman``: a build context, and the image made of it when the engine answers.

TARGET/
  rtrace-target.json        what this is
  manifest.yml              the runs
  Dockerfile .dockerignore  how the image is made
  packages.tar experiment.tar inputs.tar
                            the bundle's files: those of packages, those that it names as inputs, the rest
  launchers.tar             a launcher for each run, in /.rtrace
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import ANY_IMAGES, Images, Unpacked
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.engines.belonging.leftovers import clean, list_leftovers
from rtrace_unpackers.engines.engine.choice import DOCKER, PODMAN, choose_engine, was_podman_used
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.image.base import check_base
from rtrace_unpackers.engines.making import Maker, find_maker, make_target, plan_target
from rtrace_unpackers.engines.target import DockerTarget
from rtrace_unpackers.target.state import read_manifest, read_state


@dataclass(frozen=True)
class EngineUnpacker:
    """Makes targets of an engine."""

    name: str
    summary: str
    rank: int
    missing: str
    stand_in: str | None = None
    images: Images = ANY_IMAGES

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would write and make, a line for each step."""
        return plan_target(bundle, target, self.find_maker())

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,  # noqa: ARG002 -- nothing is shared yet
    ) -> Unpacked:
        """Write a build context in a new folder, and have the engine load the image if it answers."""
        return make_target(bundle, target, progress, sources, self.name, self.find_maker())

    def open(self, target: Path) -> DockerTarget:
        """Open a folder that ``unpack`` made."""
        folder = TargetFolder(target)
        return DockerTarget(folder, read_state(folder, self.name), read_manifest(folder))

    def make_images(self, images: Images) -> EngineUnpacker:
        """Return this unpacker, making images as a person asks for. Raises UsageError for a base that is none."""
        if images.base is not None:
            check_base(images.base)
        return replace(self, images=images)

    def find_maker(self) -> Maker:
        """Return who makes the image."""
        return find_maker(choose_engine(self.name), self.images)

    def find_problem(self) -> str | None:
        """Return why no engine can replay here."""
        problem = choose_engine(self.name).find_problem()
        if problem is None:
            return None
        short = problem.partition(": Get ")[0]  # Docker adds the request, and the reason once more
        return f"no engine answers ({short}), so start one, or install {self.missing}"

    def list_leftovers(self) -> tuple[str, ...]:
        """Describe what killed processes left in the engine."""
        engine = self.find_engine()
        return () if engine is None else tuple(leftover.description for leftover in list_leftovers(engine))

    def clean(self) -> tuple[str, ...]:
        """Remove that, and describe what is gone."""
        engine = self.find_engine()
        return () if engine is None else clean(engine)

    def find_engine(self) -> Engine | None:
        """Return the engine to look for leftovers in; None where there can be none, or where it does not answer.

        What `docker` looks into is not looked into twice; and a Podman that was never used makes folders when asked.
        """
        engine = choose_engine(self.name)
        if self.name == PODMAN and (engine == choose_engine(DOCKER) or not was_podman_used()):
            return None
        return engine if engine.answers() else None


UNPACKER = EngineUnpacker(
    DOCKER, "a Dockerfile with all files, and the image where an engine answers", 20, "Docker or Podman"
)
PODMAN_UNPACKER = EngineUnpacker(PODMAN, "the same with Podman, which any user can have to himself", 25, "Podman")
