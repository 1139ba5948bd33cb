"""Fuzz what reads bundles, manifests and ReproZip's files: any error but a sentence of rtrace's is a crash."""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz.minimising import minimise, write_corpus
from fuzz.seeds import make_seeds
from fuzz.targets import TARGETS

_KEPT = {"bundle": 320 << 10, "reprozip": 320 << 10}
_KEPT_OTHERS = 80 << 10
"""Bytes that the kept corpus of a target may have; less than a mebibyte in all."""


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line of scripts/fuzz, behind the path of the checkout."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("checkout", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60, help="of processor time, for each target (default: 60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="use one input, of the one TARGET, and tell")
    parser.add_argument("--keep", action="store_true", help="fuzz nothing; renew fixtures/fuzz from what was found")
    arguments = parser.parse_intermixed_args(argv)
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"there is no target {min(unknown)}; known are {', '.join(TARGETS)}")
    arguments.targets = arguments.targets or list(TARGETS)
    return arguments


def fuzz(name: str, seconds: float, checkout: Path) -> Counter[str]:
    """Fuzz one target; start again after each crash. Prints what came of it, and gives the figures."""
    folder = checkout / ".bench/fuzz"
    corpus, crashes = folder / name, folder / f"{name}-crashes"
    for place in (corpus, crashes):
        place.mkdir(parents=True, exist_ok=True)
    kept = checkout / "fixtures/fuzz" / name
    for content in (*make_seeds(name, checkout), *(file.read_bytes() for file in kept.glob("*"))):
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    total: Counter[str] = Counter()
    while total["seconds"] < seconds:
        with tempfile.TemporaryDirectory() as scratch:
            figures, log = Path(scratch) / "figures", Path(scratch) / "log"
            left = str(seconds - total["seconds"])
            argv = [sys.executable, "-m", "fuzz.engine", name, left, str(corpus), str(crashes), str(figures)]
            with log.open("wb") as output:
                done = subprocess.run(argv, check=False, stdout=output, stderr=subprocess.STDOUT)
            if not figures.exists():
                print(log.read_text(errors="replace")[-3000:])
                total["crashes"] += 1
                break
            facts = json.loads(figures.read_text())
        total["executions"] += facts["executions"]
        total["seconds"] += facts["seconds"]
        total["sentences"] = max(total["sentences"], facts["sentences"])
        if done.returncode:
            total["crashes"] += 1
            print(f"{name}: {facts['crash']}", flush=True)
            if total["crashes"] > 20:  # noqa: PLR2004
                break
    inputs = sum(1 for _ in corpus.iterdir())
    print(
        f"{time.strftime('%H:%M:%S')} {name}: {total['executions']} executions in {total['seconds']:.0f} s of processor"
        f" time, {total['crashes']} crashes, {total['sentences']} different sentences, {inputs} inputs",
        flush=True,
    )
    return total


def keep(name: str, checkout: Path) -> None:
    """Keep in the repository what reaches all that the corpus of a target reaches."""
    folder = checkout / "fixtures/fuzz" / name
    places = (checkout / ".bench/fuzz" / name, folder)
    inputs = [file.read_bytes() for place in places if place.is_dir() for file in place.iterdir()]
    kept = minimise([*make_seeds(name, checkout), *inputs], TARGETS[name].use, _KEPT.get(name, _KEPT_OTHERS))
    write_corpus(folder, kept)
    print(f"{name}: {len(kept)} of {len(inputs)} inputs kept, {sum(map(len, kept))} bytes", flush=True)


def main(argv: list[str]) -> int:
    """Run what the command line asks for; exit status 1 when something crashed."""
    arguments = parse_arguments(argv)
    if arguments.replay:
        (name,) = arguments.targets
        for sentence in TARGETS[name].use(arguments.replay.read_bytes()):
            print(sentence)
        return 0
    if arguments.keep:
        for name in arguments.targets:
            keep(name, arguments.checkout)
        return 0
    totals = [fuzz(name, arguments.seconds, arguments.checkout) for name in arguments.targets]
    return int(any(total["crashes"] for total in totals))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
