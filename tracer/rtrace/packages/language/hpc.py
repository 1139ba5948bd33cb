"""Software of clusters: prefixes of Spack and EasyBuild, and what environment modules name.

Spack writes ``.spack/spec.json`` into each prefix (Spack's documentation, "Spec"), EasyBuild a folder ``easybuild``
with the easyconfig. A loaded module ``gcc/12.2`` (module(1), LOADEDMODULES) names what lies below a folder of
this name, and the modulefile that is called so.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.model import Installed, PathManager
from rtrace.packages.prefixes import group_by_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Hpc:
    """The prefixes that the paths lie in; ``modules`` are those that were loaded, as ``name/version``."""

    def __init__(self, modules: Collection[bytes] = ()) -> None:
        self._modules = modules

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that lie in such a prefix."""
        owners: dict[bytes, Installed] = {}
        for mark, describe in _MARKS:
            for prefix, inside in group_by_prefix([path for path in paths if path not in owners], mark).items():
                owner = describe(prefix)
                if owner is not None:
                    owners.update(dict.fromkeys(inside, owner))
        owners.update((path, owner) for path, owner in self._find_modules(paths).items() if path not in owners)
        return owners

    def _find_modules(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        named = {module: module.rpartition(b"/") for module in self._modules if b"/" in module}
        if not named:
            return {}
        pattern = re.compile(b"(.*?/(%b))(/|(?:\\.lua)?$)" % b"|".join(map(re.escape, sorted(named, reverse=True))))
        owners: dict[bytes, Installed] = {}
        prefixes: dict[bytes, Installed] = {}
        files: dict[bytes, re.Match[bytes]] = {}
        for path in paths:
            match = pattern.match(path)
            if match and match[3] == b"/":
                name, _, version = named[match[2]]
                owners[path] = Installed(_text(name), _text(version), "any", "module", _text(match[1]))
                prefixes.setdefault(match[2], owners[path])
            elif match:
                files[path] = match
        for path, match in files.items():  # a modulefile is of the package that it leads to
            name, _, version = named[match[2]]
            alone = Installed(_text(name), _text(version), "any", "module", _text(path))
            owners[path] = prefixes.get(match[2], alone)
        return owners


def _describe_spack(prefix: bytes) -> Installed | None:
    import json

    try:
        with open(os.path.join(prefix, b".spack/spec.json"), "rb") as file:
            node = json.load(file)["spec"]["nodes"][0]
        name, version, arch, key = (node[field] for field in ("name", "version", "arch", "hash"))
        target = arch["target"] if isinstance(arch["target"], str) else arch["target"]["name"]
        where = f"{arch['platform']}-{arch['platform_os']}-{target}"
        return Installed(f"{name}/{str(key)[:7]}", str(version), where, "spack", f"hash {key}")
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None


def _describe_easybuild(prefix: bytes) -> Installed | None:
    try:
        configs = sorted(name for name in os.listdir(os.path.join(prefix, b"easybuild")) if name.endswith(b".eb"))
    except OSError:
        return None
    software = os.path.basename(os.path.dirname(prefix))
    for config in configs:
        if config.startswith(software + b"-"):
            version = config[len(software) + 1 : -len(b".eb")]
            return Installed(_text(software), _text(version), "any", "easybuild", _text(config))
    return None


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


_MARKS: tuple[tuple[bytes, Callable[[bytes], Installed | None]], ...] = (
    (b".spack/spec.json", _describe_spack),
    (b"easybuild", _describe_easybuild),
)

HPC = PathManager(
    "hpc",
    lambda unowned: bool(unowned.modules) or unowned.lie_below(b".spack") or unowned.lie_below(b"easybuild"),
    lambda unowned: Hpc(unowned.modules),
)
