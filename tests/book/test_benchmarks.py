"""The benchmarks run and tell the truth: same answers, missing peers named, no name of a machine. Nothing is timed."""

import json
import os
import re
import sys

import escaping_workloads
import measuring
import pytest
import report
import run as benchmarks
import torch
import workloads
from benchmark_runs import names_the_machine, run
from chapter_cells import ROOT
from peer_process import PeerProcess

from beyond_kernel.escaping_the_kernel.taylor_model import taylor_start
from beyond_kernel.kernel_regime.tangent_kernel import tangent_kernel

PAGE = ROOT / "book/benchmarks.md"

STAND_IN = """#!{python}
import json, sys
print(json.dumps({{"versions": {{"neural-tangents": "9.9"}}}}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    import numpy as np
    shapes = [list(np.load(path).shape) for path in order["files"]]
    print(json.dumps({{"seconds": 0.5, "answer": [float(sum(map(sum, shapes))), len(order["job"])]}}), flush=True)
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return one run of all parts but the grids, at tiny sizes without neural-tangents, and their results and pages."""
    folder = tmp_path_factory.mktemp("bench")
    done = run("--only", "numerics", "escaping", "search", "--out", str(folder), "--peers", str(folder / "no-python"))
    assert done.returncode == 0, done.stderr
    names = ("results", "escaping", "search")
    found = {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in names}
    return done, found, {name: (folder / f"{name}.md").read_text("utf-8") for name in names}


@pytest.fixture
def tiny(parts):
    """Return the run, and results and page of its first part."""
    done, found, pages = parts
    return done, found["results"], pages["results"]


def result(n: int = 100, seconds: float = 1.0, **peer) -> dict:
    peers = [{"peer": "other", "reach": 2.5, "seconds": 3.0, "ratio": 3.0, "gap": 0.0} | peer]
    return {"workload": "w", "size": f"n={n}", "n": n, "ours": seconds, "floor": 0.25, "share": 0.25, "peers": peers}


def test_every_workload_runs_beside_its_peers_and_a_floor(tiny):
    results = tiny[1]
    assert len({row["workload"] for row in results["results"]}) == 4
    assert all(row["ours"] > 0 and row["floor"] > 0 for row in results["results"])


def test_progress_is_told_workload_by_workload(parts):
    done, found, _ = parts
    told = re.findall(r"^ *\d+ s  .*\.\.\.$", done.stderr, re.MULTILINE)
    assert len(told) == sum(len(part["results"]) for part in found.values())


@pytest.mark.parametrize(
    ("part", "reach"),
    [("escaping", [[2.5, 2.5, 2.5], [10, 10, None]]),
     ("search", [[500, None, None, None], [0.91], [90, None, None, None], 4 * [None]])],
)  # fmt: skip
def test_parts_with_torch_alone_run_beside_it_and_a_floor(part, reach, parts):
    done, found, page = parts[0], parts[1][part], parts[2][part]
    assert [[peer["reach"] for peer in row["peers"]] for row in found["results"]] == reach
    for row in found["results"]:
        assert row["ours"] > 0 and row["floor"] > 0
        in_law = part == "search" and "chain" in row["workload"]  # a statistic over its critical value
        assert all(peer["ratio"] > 0 and peer["gap"] < (1 if in_law else 1e-4) for peer in row["peers"])
    assert list(found["told"])[:2] == ["load average in the minute before", "date"]
    assert not names_the_machine(page) and not names_the_machine(json.dumps(found["told"]))
    for peer in (peer["peer"] for row in found["results"] for peer in row["peers"]):
        assert peer in page and peer in done.stdout


def test_a_loss_that_does_not_compile_says_so():
    def broken(graph, inputs):
        raise RuntimeError("no compiler")

    told = escaping_workloads._compiled(lambda W: W.square().sum(), torch.ones(3), broken, lambda loss: loss)
    assert told == "does not compile here: BackendCompilerFailed"


def test_peers_of_the_ways_out_compute_what_a_jacobian_says():
    """The two losses of the Taylor model against forward-mode derivatives of the network, the gradients by hand."""
    draws = torch.Generator().manual_seed(1)
    start = taylor_start(6, 4, draws, jitter=0.3)
    X, y = torch.randn(9, 4, generator=draws, dtype=torch.float64), torch.ones(9, dtype=torch.float64)
    origin = torch.zeros_like(start.W)

    def network(W):
        weights, signs = W + torch.cat([start.W0, start.W0]), torch.tensor([1.0] * 3 + [-1.0] * 3).double()
        return torch.sigmoid(X @ weights.T - 1) @ signs / 6**0.5

    def slope(W):
        return torch.func.jvp(network, (W,), (start.W,))[1]

    first, second = torch.func.jvp(slope, (origin,), (start.W,))
    expected = float((first + second / 2 - y).square().mean())
    for loss in (escaping_workloads.loss_as_defined, escaping_workloads.loss_of_kept_derivatives):
        assert float(loss(start, X, y)(start.W)) == pytest.approx(expected, rel=1e-12)
    value = escaping_workloads.predictor_of(X, y, 1.5, torch.eye(4, dtype=torch.float64))
    gaps = X[0] - X[2]
    assert float(value(X[0])) == pytest.approx(float(torch.exp(-(X[0] - X).square().sum(1) / 4.5).sum()))
    assert escaping_workloads.outer(gaps[None]).tolist() == torch.outer(gaps, gaps).tolist()


def test_a_machine_that_does_other_work_says_so(monkeypatch):
    for load, words in (
        (0.1, "0.10"),
        (3.0, "3.00: **other work ran on the machine**, so only the ratios say something"),
    ):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0, 0))
        assert report.under_load(0.3) == ("load average in the minute before", words)


def test_a_missing_peer_is_reported_as_such(tiny):
    run, results, page = tiny
    told = [peer["missing"] for row in results["results"] for peer in row["peers"] if "neural" in peer["peer"]]
    assert len(told) == 2 and all("not installed" in text for text in told)
    assert (
        run.stdout.count("not installed: PEERS names no interpreter")
        == page.count("not installed: PEERS names no interpreter")
        == 2
    )


def test_the_peer_that_does_not_start_says_why(tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho 'No module named jax' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    other = PeerProcess(str(tmp_path / "python"))
    assert other.run("analytic", torch.ones(2, 2)) == "does not start: No module named jax"
    other.close()


def test_the_other_interpreter_gets_arrays_and_tells_its_own_seconds(tmp_path):
    (tmp_path / "python").write_text(STAND_IN.format(python=sys.executable))
    (tmp_path / "python").chmod(0o755)
    other = PeerProcess(str(tmp_path / "python"))
    seconds, answer = other.run("empirical", torch.ones(2, 3), torch.ones(3, 4))()
    assert (seconds, answer.tolist(), other.versions) == (0.5, [12.0, 9.0], {"neural-tangents": "9.9"})
    other.close()


def test_results_tell_circumstances_and_no_name_of_the_machine(tiny):
    run, results, page = tiny
    assert list(results["told"]) == ["date", "machine", "time", "BLAS", "versions"]
    assert torch.__version__ in results["told"]["versions"] and "one thread" in results["told"]["time"]
    assert "time grows as n to the power" in page
    for text in (page, json.dumps(results["told"]), PAGE.read_text("utf-8")):
        assert not names_the_machine(text)


def test_grids_are_measured_beside_other_ways_to_run_them(tmp_path):
    done = run("--only", "grids", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found, page = json.loads((tmp_path / "grids.json").read_text("utf-8")), (tmp_path / "grids.md").read_text("utf-8")
    processes = {row["what"]: row["workers"] for row in found["busy"]}
    assert list(processes.values()) == [2, 2, 2, 1] and [row["reach"] for row in found["busy"]].count(1.15) == 2
    for row in found["busy"]:
        cells, seconds = found["size"]["busy"], found["size"]["seconds"]
        assert row["cpu"] >= 0.99 * cells * seconds and row["over"] == pytest.approx(
            row["wall"] * row["workers"] / row["cpu"]
        )
    assert found["speedup"]["reach"] == 1.7 and found["speedup"]["ratio"] > 0
    numbers = {row["cells"] for row in found["trivial"]}
    assert numbers == {found["size"]["trivial"], found["size"]["fewer"]} and len(found["trivial"]) == 6
    for row in found["trivial"]:
        assert row.get("microseconds", 0) > 0 or row["what"] == "joblib.Parallel" and "not installed" in row["missing"]
        assert row["what"] in page and row["what"] in done.stdout
    assert [row["cells"] for row in found["memory"]] == sorted(numbers)
    assert all(0 < row["start"] <= row["peak"] >= row["end"] > 0 for row in found["memory"])
    assert found["load"] >= 0 and f"load average in the minute before: {found['load']:.2f}" in page
    assert "wall clock" in page and "date: 20" in page
    assert not list(tmp_path.glob("grids-*"))  # the stores are gone
    assert not names_the_machine(page)


def test_an_absent_device_is_told_in_one_sentence(capsys):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert benchmarks.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err == "DEVICE=cuda: torch finds no such device here.\n"


def test_a_peer_with_another_answer_gets_no_time():
    def answering(value):
        return lambda: (1.0, torch.tensor([value, 2.0]))

    work = measuring.Workload("w", "n=2", answering(1.0), answering(0.0), 2, 1, {"peer": answering(1.1)})
    with pytest.raises(AssertionError, match="other answers than ours"):
        measuring.measure(work)
    with pytest.raises(AssertionError, match="other answers"):
        measuring.measure(measuring.Workload("w", "", answering(1.0), answering(0), 2, 1, {"p": answering(torch.nan)}))


@pytest.mark.parametrize(("gaps", "message"), [({"peer": 0.2}, "other answers"), ({"another": 0.0}, "not compared")])
def test_a_comparison_of_its_own_decides_and_leaves_no_peer_out(gaps, message):
    def run():
        return 1.0, torch.ones(1)

    for found in (gaps, gaps | {"peer": 0.0}):
        work = measuring.Workload("w", "", run, run, 2, 1, {"peer": run}, tolerance=0.1, compare=lambda f=found: f)
        if found is gaps:
            with pytest.raises(AssertionError, match=message):
                measuring.measure(work)
        else:
            assert measuring.measure(work)["peers"][0]["gap"] == 0.0


def test_rounds_are_interleaved_and_the_median_counts():
    calls, times = [], {"ours": [9, 1, 2, 30], "floor": [9, 1, 1, 1], "p": [9, 4, 50, 6]}

    def contestant(name):
        def run():
            calls.append(name)
            return times[name].pop(0), torch.ones(1)

        return run

    work = measuring.Workload("w", "", contestant("ours"), contestant("floor"), 5, 3, {"p": contestant("p")})
    found = measuring.measure(work)
    assert calls == ["ours", "floor", "p"] * 4
    assert (found["ours"], found["share"], found["peers"][0]["ratio"]) == (2, 0.5, 3)  # the first round is warming up


def test_naive_peers_compute_the_same_by_another_road():
    X = torch.randn(30, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    off_diagonal = ~torch.eye(30, dtype=torch.bool)  # the naive diagonal has half of the digits
    assert torch.allclose(workloads.naive_tangent_kernel(X)[off_diagonal], tangent_kernel(X)[off_diagonal], rtol=1e-10)
    W, a = X[:9] / 7**0.5, torch.linspace(-1, 1, 9, dtype=torch.float64)
    by_jacobian = workloads.tangent_kernel_by_jacobian(X, W, a)
    active = ((X @ W.T) > 0).double()
    by_hand = (active * a**2) @ active.T * (X @ X.T) + torch.relu(X @ W.T) @ torch.relu(X @ W.T).T
    assert torch.allclose(by_jacobian, by_hand / 9, rtol=1e-10)


def test_growth_is_the_slope_of_logarithms():
    assert measuring.growth([1000, 2000, 4000], [0.5, 2.0, 8.0]) == pytest.approx(2)
    told = report.growths([result(100, 1.0), result(200, 8.0), result(50, 1.0) | {"workload": "once"}])
    assert told == ["w: time grows as n to the power 3.00 from n=100 to n=200."]


def test_the_table_has_one_row_a_peer():
    ratio, missing = report.rows([result(), result(missing="not installed")])
    assert ratio == ("w; n=100", "other", "1", "3", "3.0", "2.5", "25 %")
    assert missing == ("w; n=100", "other", "1", "not installed", "", "2.5", "25 %")
    assert report.rows([result(ratio=0.906)])[0][4] == "0.91"  # as fine as the ratios to reach


def test_recording_replaces_what_stands_between_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: cpu -->\nold\n<!-- end: cpu -->\nafter\n")
    report.record(page, "cpu", "new")
    report.record(page, "cpu", "newer")
    assert page.read_text() == "before\n<!-- measured: cpu -->\n\nnewer\n\n<!-- end: cpu -->\nafter\n"
    with pytest.raises(ValueError, match="lacks the lines <!-- measured: cuda -->"):
        report.record(page, "cuda", "new")


def test_the_page_holds_a_record_and_every_ratio_to_reach():
    text = PAGE.read_text("utf-8")
    recorded = text.split("<!-- measured: cpu -->")[1].split("<!-- end: cpu -->")[0]
    assert "| " + " | ".join(report.COLUMNS) + " |" in recorded
    circumstances = ("date: 20", "class", "one thread", "BLAS", "versions: Python")
    for word in (*circumstances, "naive closed form", "scikit-learn", "jacrev", "neural-tangents"):
        assert word in recorded, word
    ways = text.split("<!-- measured: escaping cpu -->")[1].split("<!-- end: escaping cpu -->")[0]
    for word in ("load average", "torch.compile", "derivatives kept", "sample by sample", "one pass for all"):
        assert word in ways, word
    for other in ("cuda", "grids", "escaping cuda"):
        assert f"<!-- measured: {other} -->" in text and f"<!-- end: {other} -->" in text
