"""Print the dependencies of a pyproject.toml and of some of its extras, a line each.

list_dependencies.py PYPROJECT EXTRA...
"""

import sys
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: the one that pip brings
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef,import-untyped,unused-ignore]


def list_dependencies(project: dict[str, Any], *extras: str) -> list[str]:
    """Return what a project needs, itself with one of its own extras left out."""
    found = [*project["dependencies"], *(item for extra in extras for item in project["optional-dependencies"][extra])]
    return [item for item in found if not item.startswith(f"{project['name']}[")]


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as file:
        print(*list_dependencies(tomllib.load(file)["project"], *sys.argv[2:]), sep="\n")
