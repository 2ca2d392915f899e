"""The command looks inside a store, exports it and removes what is old."""

import subprocess
import sys

import numpy as np
import pytest
import xarray
from light_cells import troubled
from trial_cells import labelled

from beyond_kernel.sweeps import sweep
from beyond_kernel.sweeps.__main__ import main

GRID = {"d": [1, 2], "seed": [3, 4, 5]}


@pytest.fixture
def store(tmp_path, capsys):
    path = tmp_path / "runs.sqlite"
    sweep(labelled, GRID, store=path, workers=0)
    sweep(troubled, {"seed": [0, 1]}, store=path, workers=0, on_failure="gaps")
    capsys.readouterr()
    return path


def ask(capsys, *arguments):
    """Run the command in this process and return its status and what it printed."""
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr()


def test_list_and_show(store, capsys):
    status, told = ask(capsys, "list", store)
    assert status == 0 and "labelled" in told.out and "6 done" in told.out and "1 done, 1 raised" in told.out
    status, told = ask(capsys, "show", store, "--version", 1)
    assert len(told.out.splitlines()) == 6 and '{"d":2,"seed":5}' in told.out and "value=205." in told.out
    status, told = ask(capsys, "show", store, "--failed")
    assert "ValueError: one is not to be had" in told.out and "Traceback" in told.out


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
def test_export_holds_the_same_numbers(store, tmp_path, capsys, suffix):
    out = tmp_path / f"out{suffix}"
    status, told = ask(capsys, "export", store, out, "--version", 1)
    assert status == 0 and "6 cells" in told.out
    if suffix == ".nc":
        with xarray.open_dataset(out, engine="scipy") as found:
            values = {(int(d), int(s)): float(v) for d, s, v in zip(found.d, found.seed, found.value, strict=True)}
            assert found["pair"].dims == ("cell", "pair_0")
    else:
        rows = np.genfromtxt(out, delimiter=",", names=True, dtype=None, encoding="utf-8")
        values = {(int(row["d"]), int(row["seed"])): float(row["value"]) for row in rows}
    assert values == {(d, seed): 100.0 * d + seed for d in GRID["d"] for seed in GRID["seed"]}
    status, told = ask(capsys, "export", store, out)
    assert status == 2 and "exists" in told.err


def test_export_of_failed_cells_has_gaps(store, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert ask(capsys, "export", store, out)[0] == 0
    lines = out.read_text().splitlines()
    assert len(lines) == 3 and any("raised" in line for line in lines)


def test_the_version_used_last_is_kept_even_if_it_is_older(tmp_path, capsys):
    path = tmp_path / "runs.sqlite"
    for factor in (2, 3, 2):
        sweep(lambda seed, factor=factor: {"value": factor * seed}, {"seed": [10, 9]}, store=path, workers=0)
    assert "value=20" in ask(capsys, "show", path)[1].out
    out = tmp_path / "out.csv"
    ask(capsys, "export", path, out)
    assert [line.split(",")[1] for line in out.read_text().splitlines()[1:]] == ["9", "10"], "ordered by parameters"
    assert ask(capsys, "prune", path)[1].out.startswith("2 ")
    assert "1 " in ask(capsys, "list", path)[1].out


def test_prune_removes_old_versions_only(tmp_path, capsys):
    path = tmp_path / "runs.sqlite"
    for factor in (2, 3):
        sweep(lambda seed, factor=factor: {"value": factor * seed}, {"seed": range(50)}, store=path, workers=0)
    sweep(labelled, GRID, store=path, workers=0)
    assert "50 cells removed" in ask(capsys, "prune", path)[1].out
    assert "Nothing to remove" in ask(capsys, "prune", path)[1].out
    told = ask(capsys, "list", path)[1].out
    assert "50 done" in told and "6 done" in told and len(told.splitlines()) == 4
    assert "6 cells removed" in ask(capsys, "prune", path, "--version", 3)[1].out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["list", "nowhere.sqlite"], "no such file"),
        (["show", "STORE", "--version", "9"], "has no version 9; it has 1, 2"),
        (["export", "STORE", "out.xlsx"], "neither in .nc nor in .csv"),
        (["export", "STORE", "no/folder/out.csv"], "there is no folder"),
        (["list", "TEXT"], "is no store of a sweep"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(store, tmp_path, capsys, arguments, named):
    (tmp_path / "text").write_text("a text")
    places = {"STORE": store, "TEXT": tmp_path / "text"}
    status, told = ask(capsys, *[places.get(argument, argument) for argument in arguments])
    assert status == 2 and named in told.err and len(told.err.splitlines()) == 1 and not told.out


def test_it_is_a_module_that_can_be_run(store):
    command = [sys.executable, "-m", "beyond_kernel.sweeps", "list", str(store)]
    assert "labelled" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
