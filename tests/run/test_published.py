"""Published analyses that packages ship with their data: the same results, or equal ones, in chroot and in Docker.

Anscombe's quartet (The American Statistician 27, 1973) and the enzyme kinetics of Treloar (1974, as fitted by Bates and
Watts, 1988) come with R; the survival with lung cancer of Loprinzi and others (Journal of Clinical Oncology 12, 1994)
with the package survival; the rock cores of BP Research, after Venables and Ripley's book, with MASS; the karate club
of Zachary (Journal of Anthropological Research 33, 1977) with NetworkX.
"""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
PYTHON = Path(__file__).resolve().parents[2] / ".bench/published/bin/python"
R = {
    "quartet": 'pdf("quartet.pdf"); example(anscombe, echo = FALSE, ask = FALSE)',
    "kinetics": (
        'pdf("kinetics.pdf"); fit <- nls(rate ~ Vm * conc / (K + conc), data = Puromycin, subset = state == "treated",'
        " start = c(Vm = 200, K = 0.05)); print(summary(fit)); plot(rate ~ conc, data = Puromycin);"
        ' write.csv(coef(summary(fit)), "kinetics.csv")'
    ),
    "lung": (
        "library(survival); fit <- coxph(Surv(time, status) ~ age + sex + ph.ecog, data = lung); print(fit);"
        ' write.csv(summary(fit)$coefficients, "lung.csv"); png("lung.png", type = "cairo"); plot(survfit(fit))'
    ),
    "rock": (
        "library(MASS); fit <- rlm(log(perm) ~ area + peri + shape, data = rock); print(summary(fit));"
        ' saveRDS(coef(fit), "rock.rds")'
    ),
}
CLUB = """\
import json, networkx
club = networkx.karate_club_graph()
parts = networkx.community.greedy_modularity_communities(club)
centre = networkx.betweenness_centrality(club)
with open("club.json", "w") as file:
    json.dump({"parts": sorted(map(sorted, parts)), "centrality": centre}, file)
print(networkx.community.modularity(club, parts))
"""
CLAIMS = """
claims:
  - {claim: "Michaelis and Menten's constants of the treated cells are 212.7 and 0.064.", run: run2,
     outputs: [kinetics.csv], tolerance: 1.0e-6}
  - {claim: "Women survive longer.", run: run3, outputs: [lung.csv, stdout]}
  - {claim: "The club falls apart into three.", run: run5, outputs: [club.json]}
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bundle of all five; the folder that they ran in is gone."""
    from observing import run_rtrace

    work = tmp_path_factory.mktemp("published") / "work"
    work.mkdir()
    (work / "club.py").write_text(CLUB)
    commands = [("Rscript", "--vanilla", "-e", script) for script in R.values()] + [(str(PYTHON), "club.py")]
    for number, command in enumerate(commands):
        more = ["--continue"] if number else []
        traced = run_rtrace("trace", "-q", "--no-history", *more, *command, cwd=work)
        assert traced.returncode == 0, traced.stderr
    manifest = work / ".rtrace/manifest.yml"
    manifest.write_text(manifest.read_text() + CLAIMS)
    packed = run_rtrace("pack", "-q", work.parent / "published.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    for file in work.glob("*.*"):
        if file.name != ".rtrace":
            file.unlink()
    return work.parent / "published.rpz"


@pytest.mark.requires("published", "Rscript")
@pytest.mark.parametrize(
    "unpacker",
    [
        pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
        pytest.param("docker", marks=pytest.mark.requires("docker")),
    ],
)
def test_published_analyses_come_out_the_same(unpacker: str, bundle: Path, rtrace: Rtrace) -> None:
    """Every output of the five is the same, or equal (a PDF with another date), and each claim is reproduced."""
    done = rtrace("verify", "--no-history", "--json", "--unpacker", unpacker, bundle)
    told = json.loads(done.stdout)
    wrong = [line for line in told["lines"] if line["scope"] == "output" and line["verdict"] not in {"same", "equal"}]
    assert (done.returncode, wrong) == (0, []), done.stderr
    assert told["verdict"] in {"same", "equal"}
    assert [row["reproduced"] for row in told["claims"]] == [True, True, True]
    compared = {Path(line["path"]).name for line in told["lines"] if line["path"] and line["scope"] == "output"}
    assert compared == {"quartet.pdf", "kinetics.pdf", "kinetics.csv", "lung.csv", "lung.png", "rock.rds", "club.json"}
