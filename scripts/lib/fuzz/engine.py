"""One run of the fuzzer on one target, in a process of its own: coverage-guided, by Atheris (libFuzzer for Python)."""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rtrace", "rtrace_unpackers"]):
    from fuzz.targets import TARGETS
from fuzz.mutation import mutate_lines, mutate_sections

_MOST = 96 << 10
"""Bytes of the longest input."""


def main(argv: list[str]) -> None:
    """Fuzz a target for so many seconds of processor time; write what came of it to a file.

    Arguments: target, seconds, folder of the corpus, folder for crashes, file for the figures.
    """
    name, seconds, corpus, crashes, figures = argv
    target = TARGETS[name]
    executions = 0
    refused: set[str] = set()

    def finish(problem: str | None) -> None:
        used = time.process_time()
        facts = {"executions": executions, "seconds": used, "sentences": len(refused), "crash": problem}
        Path(figures).write_text(json.dumps(facts))

    def use(content: bytes) -> None:
        nonlocal executions
        executions += 1
        try:
            for sentence in target.use(content):
                if len(refused) < 100_000:  # noqa: PLR2004
                    refused.add(_without_numbers(sentence))
        except BaseException:
            finish(traceback.format_exc())
            raise
        if not executions % 64 and time.process_time() > float(seconds):
            finish(None)
            os._exit(0)

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        if target.sections:
            return mutate_sections(content, most, seed, atheris.Mutate)
        if name in {"manifest", "config"} and seed % 4:
            import random

            chance = random.Random(seed)  # noqa: S311
            return mutate_lines(content, most, chance, atheris.Mutate)[:most]
        mutated: bytes = atheris.Mutate(content, most)
        return mutated

    options = [
        f"-artifact_prefix={crashes}/",
        f"-max_len={_MOST}",
        "-timeout=1200",
        "-rss_limit_mb=2048",
        "-verbosity=1",
    ]
    options += ["-len_control=0", "-reload=0"]
    atheris.Setup([sys.argv[0], *options, corpus], use, custom_mutator=mutate, internal_libfuzzer=True)
    atheris.Fuzz()


def _without_numbers(sentence: str) -> str:
    """Make one of sentences that differ in numbers and names only."""
    return "".join(char for char in sentence if char.isalpha() or char == " ")[:200]


if __name__ == "__main__":
    main(sys.argv[1:])
