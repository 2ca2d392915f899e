"""The page on sweeps tells the truth: its scripts run, its commands work on the store they make, its tests exist."""

import os
import re
import runpy
import shlex
import subprocess
import sys

import numpy as np
import pytest
from chapter_cells import ROOT

from beyond_kernel.sweeps import __main__ as command

PAGE = (ROOT / "book/sweeps.md").read_text("utf-8")
NOT_RUN = "# shown, not run"
SMALLER = {  # what takes long on the page stands in the first column
    'small = {"d": [100, 200, 400], "ratio": [0.25, 1]': 'small = {"d": [20, 40], "ratio": [1]',
    '"seed": range(25)}': '"seed": range(2)}',
    '"width": 500': '"width": 50',
    "LocalCluster(n_workers=2, threads_per_worker=1)": 'LocalCluster(processes=False, dashboard_address=":0")',
}


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def scripts() -> dict[str, str]:
    """Return the scripts by name: a block that begins with a name starts one, blocks without go on with the first."""
    found: dict[str, str] = {}
    for block in blocks("python"):
        named = re.match(r"# (\w+\.py)\n", block)
        if named:
            found[named[1]] = block
        elif not block.startswith(NOT_RUN):
            found[next(iter(found))] += block
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder in which the first script was run, in a process of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "edge.py").write_text(scripts()["edge.py"])
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TQDM_DISABLE": "1"}
    environment.pop("BEYOND_KERNEL_STORE", None)
    ran = subprocess.run(
        [sys.executable, "edge.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    return folder, ran.stdout


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return what runs a script of the page, made smaller, in an empty folder, and returns the lines that it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.delenv("BEYOND_KERNEL_STORE", raising=False)

    def run_script(name: str) -> list[str]:
        text = scripts()[name]
        for long, short in SMALLER.items():
            text = text.replace(long, short)
        (tmp_path / name).write_text(text)
        runpy.run_path(name, run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run_script


def test_every_block_is_run_or_says_that_it_is_not():
    assert list(scripts()) == ["edge.py", "on_dask.py", "plan.py", "streamed.py"]
    assert [block for block in blocks("python") if block.startswith(NOT_RUN)], "Slurm is shown, not run"
    assert all(any(long in text for text in scripts().values()) for long in SMALLER), "the page has other values now"


def test_the_first_script_prints_what_the_page_prints(made):
    _, printed = made
    lines = printed.splitlines()
    assert lines[5:] == ["no gaps", "0.0"]
    told = np.loadtxt(blocks("text")[0].splitlines()[2:])
    assert np.abs(np.loadtxt(lines[2:5]) - told).max() < 0.011  # two decimals, one unit of the last


def test_the_commands_of_the_page_work_on_its_store(made, capsys, monkeypatch):
    folder, _ = made
    monkeypatch.chdir(folder)
    ran = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            python, *words = shlex.split(line[2:].partition("|")[0])
            assert (python, words[:2]) == ("python", ["-m", "beyond_kernel.sweeps"])
            assert command.main(words[2:]) == 0, capsys.readouterr().err
            ran.append(words[2])
    assert set(ran) == {"list", "show", "export", "prune"}
    out = capsys.readouterr().out
    assert "__main__.edge_cell" in out and "90 done" in out and '{"d":80,"n":400,"seed":3}  largest=1.99' in out
    assert "edge.csv" in out and (folder / "edge.csv").is_file() and (folder / "edge.nc").is_file()


def test_the_script_for_dask_runs(run):
    pytest.importorskip("distributed")
    table = np.loadtxt(run("on_dask.py")[2:])
    assert table.shape == (2, 4) and (table[:, 1] > table[:, 3]).all(), "more samples, less risk"


def test_the_scripts_that_plan_run(run):
    assert run("plan.py")[0].startswith("42 cells, ")
    first, _, second = run("streamed.py")
    assert first.startswith("105 cells, ") and re.fullmatch(r"on 200 cores: \d+ hours", second)


def test_drawing_in_blocks_gives_the_same_overlap():
    names: dict = {}
    exec(compile(scripts()["streamed.py"].partition("setting =")[0], "streamed.py", "exec"), names)
    from beyond_kernel.feature_learning.one_step_cells import overlap_cell

    setting = {"target": "(h2(z1) - h2(z2))/sqrt(2)", "d": 20, "ratio": 8, "width": 100, "noise": 0.1}
    ours = [float(names["streamed_cell"](seed=seed, block=1000, **setting)["overlap"]) for seed in range(12)]
    theirs = [overlap_cell(seed=seed, **setting)["overlap"] for seed in range(12)]
    error = np.sqrt((np.var(ours) + np.var(theirs)) / 12)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * error and error < 0.02


def test_every_test_in_the_table_of_guarantees_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) >= 12 and len(set(named)) == len(named)
    for path, name in named:
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), f"{path}::{name}"
