"""A folder with an installed distribution of Python, as pip would make it."""

from __future__ import annotations

from pathlib import Path

RECORD = """\
lazy/__init__.py,sha256=x,10
lazy/later.py,sha256=x,20
lazy/__pycache__/later.cpython-311.pyc,,
"lazy/a,b.txt",sha256=x,3
lazy-1.0.dist-info/METADATA,sha256=x,5
../../bin/lazy,sha256=x,7
"""


def make_site(folder: Path) -> Path:
    """Make a site-packages folder with one distribution, of which one module is enough to import it."""
    site = folder / "lib/site-packages"
    for name, content in {
        "lazy/__init__.py": "",
        "lazy/later.py": "value = 42\n",
        "lazy/a,b.txt": "data",
        "lazy-1.0.dist-info/METADATA": "Name: lazy\n",
        "lazy-1.0.dist-info/RECORD": RECORD,
        "other/__init__.py": "",
        "other-2.dist-info/RECORD": "other/__init__.py,,0\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    return site
