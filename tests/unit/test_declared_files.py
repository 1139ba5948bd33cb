"""What files of projects declare: each format read as its own tools read it."""

from __future__ import annotations

import json

import pytest

from rtrace.declared.files.finding import is_declaration, read_declarations
from rtrace.declared.model import Declarations


class Files:
    """A project's folder, as a mapping."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/"): content.encode() for name, content in files.items()}

    def list_names(self) -> list[str]:
        """Return the names of the declarations."""
        return sorted(filter(is_declaration, self.files))

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""
        return self.files.get(name)


def read(name: str, content: str, **more: str) -> Declarations:
    """Return what one file declares, beside others."""
    return read_declarations(Files(**{name: content, **more}))


def tell(declared: Declarations) -> list[tuple[str, str, str, str]]:
    """Return what is declared, without the files' names."""
    return [(one.ecosystem, one.name, one.constraint, one.group) for one in declared.items]


def test_requirements_are_read_as_pip_reads_them() -> None:
    """Comments, lines that go on, options, hashes, markers, extras, addresses, included files and constraints."""
    digest = "a" * 64
    declared = read(
        "requirements.txt",
        "# what is needed\n"
        "NumPy>=1.2,<3  # the array\n"
        f"six==1.16.0 \\\n    --hash=sha256:{digest}\n"
        'old; python_version < "3"\n'
        "typing_extensions[foo] ~= 4.1 ; python_version >= '3'\n"
        "--index-url https://example.org/simple\n"
        "-e git+https://example.org/x.git#egg=Own_Thing\n"
        "pkg @ https://example.org/pkg-1.whl\n"
        "./local\n"
        "-r more.txt\n"
        "-c limits.txt\n",
        **{"more.txt": "scipy\n-r requirements.txt\n", "limits.txt": "numpy==1.5\n"},
    )
    assert declared.problems == []
    assert tell(declared) == [
        ("python", "numpy", "<3,>=1.2", "main"),
        ("python", "six", "==1.16.0", "main"),
        ("python", "typing-extensions", "~=4.1", "main"),
        ("python", "own-thing", "", "main"),
        ("python", "pkg", "", "main"),
        ("python", "scipy", "", "main"),
        ("python", "numpy", "==1.5", "constraint"),
    ]
    assert declared.hashes == {("six", "1.16.0"): {digest}}


def test_requirements_for_tests_are_known_by_the_files_name() -> None:
    """What a file for developers needs, no run has to use."""
    assert tell(read("requirements-dev.txt", "pytest\n")) == [("python", "pytest", "", "dev")]
    assert tell(read("requirements__docs.txt", "sphinx\n")) == [("python", "sphinx", "", "dev")]


def test_groups_of_pyproject_are_told_apart() -> None:
    """Dependencies, extras, groups and what building needs, of PEP 621 and PEP 735."""
    declared = read(
        "pyproject.toml",
        '[project]\nrequires-python = ">=3.10"\ndependencies = ["a>=1", "b; python_version < \'3\'"]\n'
        '[project.optional-dependencies]\nplot = ["c"]\n'
        '[dependency-groups]\ntest = ["d", {include-group = "other"}]\nother = ["e"]\n'
        '[build-system]\nrequires = ["f"]\n',
    )
    assert tell(declared) == [
        ("python", "python", ">=3.10", "constraint"),
        ("python", "a", ">=1", "main"),
        ("python", "c", "", "extra plot"),
        ("python", "d", "", "dev"),
        ("python", "e", "", "dev"),
        ("python", "f", "", "build"),
    ]


@pytest.mark.parametrize(
    "written,specifiers",
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^1", ">=1,<2"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2", "==1.2"),
        ("1.2.*", "==1.2.*"),
        (">=1,<2", ">=1,<2"),
        ("*", ""),
        ("^1 || ^2", ""),
    ],
)
def test_constraints_of_poetry_are_translated(written: str, specifiers: str) -> None:
    """Caret, tilde and plain versions mean what Poetry's documentation says."""
    declared = read("pyproject.toml", f'[tool.poetry.dependencies]\npython = "^3.10"\na = "{written}"\n')
    assert tell(declared) == [
        ("python", "python", ">=3.10,<4", "constraint"),
        ("python", "a", specifiers, "main"),
    ]


UV = """
version = 1
[[package]]
name = "study"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "a", extra = ["more"] }, { name = "w", marker = "sys_platform == 'win32'" }]
[package.dev-dependencies]
dev = [{ name = "d" }]
[[package]]
name = "a"
version = "1.0"
dependencies = [{ name = "b" }]
sdist = { url = "https://example.org/a-1.0.tar.gz", hash = "sha256:HASH", size = 5 }
[package.optional-dependencies]
more = [{ name = "c" }]
"""


def test_a_lock_of_uv_says_what_needs_what() -> None:
    """Versions, the project's own needs, those of its developers and of other systems, extras, archives and hashes."""
    digest = "b" * 64
    declared = read("uv.lock", UV.replace("HASH", digest))
    assert tell(declared) == [
        ("python", "a", "", "main"),
        ("python", "w", "", "extra"),
        ("python", "d", "", "dev"),
        ("python", "a", "==1.0", "lock"),
    ]
    assert ("python", "a[more]") in declared.requires["python", "a"]
    assert declared.requires["python", "a[more]"] == {("python", "c")}
    assert declared.archives["a", "1.0"]["a-1.0.tar.gz"].sha256 == digest


def test_other_locks_of_python() -> None:
    """poetry.lock and pylock.toml fix versions, and know hashes."""
    digest = "c" * 64
    poetry = read(
        "poetry.lock",
        f'[[package]]\nname = "A_b"\nversion = "2.0"\nfiles = [{{file = "x.whl", hash = "sha256:{digest}"}}]\n'
        '[package.dependencies]\nc = ">=1"\n',
    )
    assert tell(poetry) == [("python", "a-b", "==2.0", "lock")]
    assert poetry.requires == {("python", "a-b"): {("python", "c")}}
    assert poetry.hashes == {("a-b", "2.0"): {digest}}
    pylock = read(
        "pylock.toml",
        'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n'
        f'wheels = [{{url = "https://example.org/a-1-py3-none-any.whl", hashes = {{sha256 = "{digest}"}}}}]\n',
    )
    assert tell(pylock) == [("python", "a", "==1", "lock")]
    assert list(pylock.archives["a", "1"]) == ["a-1-py3-none-any.whl"]


def test_an_environment_of_conda_has_packages_of_both_kinds() -> None:
    """Channels, builds, ranges, and the list for pip."""
    declared = read(
        "environment.yml",
        "name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - conda-forge::NumPy>=1.2,<2\n"
        "  - scipy=1.11.1=py311_0\n  - pandas 2.0\n  - pip\n  - pip:\n    - six==1.16\n    - -r other.txt\n",
    )
    assert tell(declared) == [
        ("conda", "python", "=3.11", "main"),
        ("conda", "numpy", ">=1.2,<2", "main"),
        ("conda", "scipy", "==1.11.1", "main"),
        ("conda", "pandas", "2.0", "main"),
        ("python", "six", "==1.16", "main"),
    ]


def test_r_says_what_it_imports_and_suggests() -> None:
    """DESCRIPTION goes on in lines that begin with a space; renv.lock has exact versions."""
    declared = read(
        "DESCRIPTION",
        "Package: study\nDepends: R (>= 4.1), methods\nImports: jsonlite (>= 1.7),\n    digest\nSuggests: testthat\n",
        **{
            "renv.lock": json.dumps(
                {
                    "R": {"Version": "4.2"},
                    "Packages": {"digest": {"Package": "digest", "Version": "0.6.33", "Imports": ["utils"]}},
                }
            )
        },
    )
    assert tell(declared) == [
        ("R", "methods", "", "main"),
        ("R", "jsonlite", ">= 1.7", "main"),
        ("R", "digest", "", "main"),
        ("R", "testthat", "", "dev"),
        ("R", "digest", "== 0.6.33", "lock"),
    ]


def test_npm_has_groups_and_locks_of_all_versions() -> None:
    """package.json, and package-lock.json with a list of places, or with a tree as npm 6 wrote it."""
    package = {"dependencies": {"a": "^1"}, "devDependencies": {"b": "2"}, "peerDependencies": {"c": "*"}}
    assert tell(read("package.json", json.dumps(package))) == [
        ("npm", "a", "^1", "main"),
        ("npm", "b", "2", "dev"),
        ("npm", "c", "*", "extra peer"),
    ]
    flat = {
        "packages": {
            "": {"dependencies": {"a": "^1"}},
            "node_modules/a": {"version": "1.2.0", "dependencies": {"@s/b": "1"}},
            "node_modules/@s/b": {"version": "1.0.0"},
        }
    }
    declared = read("package-lock.json", json.dumps(flat))
    assert tell(declared) == [("npm", "a", "1.2.0", "lock"), ("npm", "@s/b", "1.0.0", "lock")]
    assert declared.requires == {("npm", "a"): {("npm", "@s/b")}}
    tree = {
        "dependencies": {"a": {"version": "1.2.0", "requires": {"b": "1"}, "dependencies": {"b": {"version": "1.1.0"}}}}
    }
    assert tell(read("package-lock.json", json.dumps(tree))) == [
        ("npm", "a", "1.2.0", "lock"),
        ("npm", "b", "1.1.0", "lock"),
    ]


def test_a_dockerfile_installs_in_many_ways() -> None:
    """Commands that go on, chains of them, options with values, pip with files and pins, the last image."""
    declared = read(
        "Dockerfile",
        "FROM golang:1.22 AS build\nFROM --platform=linux/amd64 debian:12\n"
        "RUN apt-get update && apt-get -y install --no-install-recommends -t stable \\\n"
        "    # what reads files\n    libxml2 curl=7.88.1-10 \\\n    && rm -rf /var/lib/apt/lists/*\n"
        "RUN LANG=C python3 -m pip install --no-cache-dir -r /tmp/requirements.txt 'numpy<2' .\n"
        'RUN ["pip", "install", "six==1.16"]\nRUN apk add --no-cache jq; echo pip install "not-this\n',
        **{"requirements.txt": "scipy\n"},
    )
    assert sorted(tell(declared)) == sorted(
        [
            ("dpkg", "libxml2", "", "main"),
            ("dpkg", "curl", "7.88.1-10", "main"),
            ("python", "numpy", "<2", "main"),
            ("python", "scipy", "", "main"),
            ("python", "six", "==1.16", "main"),
            ("apk", "jq", "", "main"),
            ("base", "debian", "12", "main"),
        ]
    )


def test_a_list_for_apt() -> None:
    """Names with versions and architectures, one or more a line."""
    assert tell(read("apt.txt", "curl=7.88*  # fetches\nlibc6:i386 git\n")) == [
        ("dpkg", "curl", "7.88*", "main"),
        ("dpkg", "libc6", "", "main"),
        ("dpkg", "git", "", "main"),
    ]


@pytest.mark.parametrize(
    "name,content",
    [
        ("uv.lock", "[[package"),
        ("pyproject.toml", "a" + ".a" * 100_000 + " = 1"),
        ("pyproject.toml", "x = " + "[" * 100_000),
        ("package.json", "[" * 100_000),
        ("package.json", "[1]"),
        ("renv.lock", '{"a": 1e'),
        ("environment.yml", "a: [\n"),
        ("environment.yml", "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9)) + "- x"),
        ("requirements.txt", "not a requirement at all\n"),
        ("requirements.txt", "a" * 100_000 + "=="),
    ],
)
def test_files_that_are_not_as_they_should_be_are_told(name: str, content: str) -> None:
    """What is broken or hostile becomes one sentence that names the file, and nothing else."""
    (problem,) = read(name, content).problems
    assert problem.startswith(f"{name} is not as it should be (")
    assert len(problem) < 300


@pytest.mark.parametrize(
    "name,content",
    [
        ("package.json", '{"dependencies": ["a"], "devDependencies": {"a": {"b": 1}}}'),
        ("package-lock.json", '{"packages": [1], "dependencies": {"a": 5}}'),
        ("uv.lock", 'package = [1, {name = 5}, {name = "a", dependencies = {a = 1}}]'),
        ("poetry.lock", 'package = [{name = "a", version = "1", files = [{hash = 1}], dependencies = [1]}]'),
        ("pyproject.toml", 'project = 1\ndependency-groups = [1]\ntool = "x"\nbuild-system = {requires = "x"}'),
        ("renv.lock", '{"Packages": {"a": 1, "b": {"Package": "b", "Version": [], "Imports": "x"}}}'),
        ("environment.yml", "dependencies: {a: 1}"),
        ("Dockerfile", "FROM\nRUN pip\nRUN pip install\nRUN '\nRUN env sudo\nRUN apt-get install\n"),
    ],
)
def test_values_of_other_types_are_nothing(name: str, content: str) -> None:
    """A document whose values are not what its format says is read as far as they are."""
    assert read(name, content).problems == []


def test_included_files_do_not_lead_in_circles_or_outside() -> None:
    """Files that include each other are read once each, and one that is not there is told."""
    declared = read("requirements.txt", "-r a.txt\n-r ../../secret\n", **{"a.txt": "-r requirements.txt\nsix\n"})
    assert tell(declared) == [("python", "six", "", "main")]
    assert declared.problems == ["requirements.txt includes ../../secret, which is not there"]


def test_a_line_that_is_no_requirement_spoils_no_other() -> None:
    """All other lines count, and the problem says how many such lines there are."""
    declared = read("requirements.txt", "a\nnot one\nb\nnor this one\n")
    assert [one.name for one in declared.items] == ["a", "b"]
    (problem,) = declared.problems
    assert problem.endswith("and 1 more line)")
