"""A sweep is the nested loop over its grid with names on the axes, whoever runs it."""

import functools
import os
import subprocess
import sys
import threading

import nbformat
import numpy as np
import pytest
import torch
import trial_cells
import xarray
from light_cells import busy, troubled
from trial_cells import drawn, labelled, odd_one

from beyond_kernel.sweeps import BadParameter, SweepFailed, WorkerError, sweep

WAYS = [0, 1, 2]


@pytest.mark.parametrize("workers", WAYS)
def test_every_cell_stands_where_its_parameters_say(workers):
    result = sweep(labelled, {"d": [3, 1, 2], "seed": range(4)}, workers=workers, scale=2.0)
    for d in (1, 2, 3):
        for seed in range(4):
            at = result.sel(d=d, seed=seed)
            assert float(at.value) == 2 * (100 * d + seed)
            assert at["pair"].values.tolist() == [d, seed]
            assert str(at["name"].values) == f"{d}/{seed}"
    assert result.value.dims == ("d", "seed") and result["pair"].dims == ("d", "seed", "pair_0")
    assert np.issubdtype(result["pair"].dtype, np.integer)


def test_attributes_tell_where_the_numbers_come_from():
    result = sweep(
        labelled, {"d": [1], "seed": [2]}, scale=2.0, units={"value": "samples", "d": "dimensions", "x": "-"}
    )
    assert result.attrs["scale"] == "2.0"
    assert result.attrs["sweep_function"].endswith("trial_cells.labelled")
    assert f"torch {torch.__version__.partition('+')[0]}" in result.attrs["sweep_versions"]
    assert result.value.attrs == {"units": "samples"} and result.d.attrs == {"units": "dimensions"}


@pytest.mark.parametrize("seed", [0, 17])
def test_any_number_of_workers_gives_the_same_bits(seed):
    grid = {"seed": range(seed, seed + 12)}
    first = sweep(drawn, grid, workers=0)
    assert set(first.threads.values.tolist()) == {1}
    assert len(np.unique(first.torch)) == 12, "cells draw the same numbers"
    for workers in (1, 2, 8):
        assert sweep(drawn, grid, workers=workers).identical(first)
    turned = sweep(drawn, {"seed": list(grid["seed"])[::-1]}, workers=2, cost=lambda seed: seed + 1)
    assert turned.sortby("seed").identical(first), "a cell depends on the cells before it"


def test_the_callers_random_states_and_threads_are_left_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    sweep(drawn, {"seed": range(3)}, workers=0)
    assert torch.equal(torch.rand(3), wanted) and torch.get_num_threads() == threads


def test_functions_without_a_name_of_their_own():
    offset = 3
    grid = {"learner": ["a", "bcd"], "seed": [7]}
    for function in (
        lambda learner, seed: {"n": len(learner) + offset},
        functools.partial(_length, offset=offset),
    ):
        result = sweep(function, grid, workers=2)
        assert int(result.n.sel(learner="bcd", seed=7)) == 6


def _length(learner, seed, offset):
    return {"n": len(learner) + offset}


def test_a_script_needs_no_main_guard_and_no_torch(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from beyond_kernel.sweeps import sweep\n"
        "FACTOR = 7\n"
        "def helper(x):\n    return FACTOR * x\n"
        "def cell(seed):\n    return {'value': helper(seed)}\n"
        "print(sweep(cell, {'seed': [1, 2, 3]}, workers=2).value.values.tolist())\n"
        "import sys\nprint('torch' in sys.modules)  # to load it takes longer than this sweep\n"
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split("\n") == ["[7, 14, 21]", "False", ""], ran.stderr


THREADS = """
import torch
from beyond_kernel.sweeps import sweep
def cell(seed):
    import numpy, threadpoolctl, torch
    numpy.ones((9, 9)) @ numpy.ones((9, 9))
    return {"torch": torch.get_num_threads(), "blas": max(p["num_threads"] for p in threadpoolctl.threadpool_info())}
before = torch.get_num_threads()
for workers in (0, 1):
    found = sweep(cell, {"seed": [1]}, workers=workers)
    print(int(found.torch[0]), int(found.blas[0]), torch.get_num_threads() == before)
"""


def test_every_cell_has_one_thread_whatever_the_environment_says():
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    ran = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, env=environment, timeout=60)
    assert ran.stdout.split("\n")[:2] == ["1 1 True", "1 1 True"], ran.stdout + ran.stderr


def test_a_notebook_s_cell_function(tmp_path):
    cells = [
        "from beyond_kernel.sweeps import sweep",
        "def cell(seed):\n    return {'value': seed + offset}",
        "offset = 5",
    ]
    cells.append("print(sweep(cell, {'seed': [1, 2]}, workers=2).value.values.tolist())")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "cells.ipynb")
    command = [sys.executable, "-m", "papermill", "cells.ipynb", "out.ipynb", "--no-progress-bar", "-k", "python3"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert ran.returncode == 0, ran.stderr
    outputs = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    assert [output.text for output in outputs if output.get("name") == "stdout"] == ["[6, 7]\n"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


def test_a_sweep_inside_of_a_cell_runs_in_its_process():
    def outer(seed):
        inner = sweep(trial_cells.labelled, {"d": [1, 2], "seed": [seed]})
        return {"sum": inner.value.sum()}

    assert sweep(outer, {"seed": [5]}, workers=1)["sum"].values.tolist() == [310.0]


def test_failed_cells_are_named_and_the_others_are_there(tmp_path):
    with pytest.raises(SweepFailed) as caught:
        sweep(troubled, {"seed": [0, 1, 2, 6, 7]}, workers=2)
    gaps = {gap.parameters["seed"]: gap for gap in caught.value.gaps}
    assert {seed: gap.status for seed, gap in gaps.items()} == {1: "raised", 2: "nan", 6: "raised"}
    assert "one is not to be had" in gaps[1].error and "light_cells.py" in gaps[1].error
    assert "3 of 5 cells failed" in str(caught.value) and "seed=1: raised: ValueError" in str(caught.value)
    assert caught.value.dataset.value.sel(seed=[0, 7]).values.tolist() == [0.0, 7.0]
    with_gaps = sweep(troubled, {"seed": [0, 1, 2, 6, 7]}, workers=2, on_failure="gaps")
    assert with_gaps.identical(caught.value.dataset)
    assert np.isnan(with_gaps.value.sel(seed=[1, 2, 6])).all()
    assert len(with_gaps.attrs["sweep_gaps"].splitlines()) == 3
    assert "sweep_gaps" not in sweep(troubled, {"seed": [0, 7]}).attrs


def test_nan_may_be_allowed_by_name():
    result = sweep(troubled, {"seed": [2, 7]}, may_be_nan=["value"])
    assert np.isnan(result.value.values).tolist() == [True, False] and "sweep_gaps" not in result.attrs


def test_what_one_run_allows_another_may_not(tmp_path):
    setting = {"store": tmp_path / "runs.sqlite", "workers": 0}
    allowed = sweep(troubled, {"seed": [2, 7]}, may_be_nan=["value"], **setting)
    with pytest.raises(SweepFailed, match="seed=2: nan: value is NaN"):
        sweep(troubled, {"seed": [2, 7]}, **setting)
    assert sweep(troubled, {"seed": [2, 7]}, may_be_nan=["value"], **setting).identical(allowed)


def test_a_function_that_cannot_travel_is_told():
    lock = threading.Lock()

    def cell(seed):
        with lock:
            return {"value": seed}

    with pytest.raises(WorkerError, match="cell cannot be sent to another process"):
        sweep(cell, {"seed": [1]}, workers=1)
    assert int(sweep(cell, {"seed": [1]}, workers=0).value[0]) == 1


def test_all_cells_may_fail():
    with pytest.raises(SweepFailed, match="1 of 1 cells failed") as caught:
        sweep(troubled, {"seed": [1]}, workers=0)
    assert not caught.value.dataset.data_vars


@pytest.mark.parametrize("workers", WAYS)
def test_a_cell_that_returns_no_dictionary_of_numbers_is_a_failure(workers):
    for bad, named in ((3.0, "dictionary"), ({"x": object()}, "x is a object"), ({}, "dictionary"), ({1: 2}, "name 1")):
        with pytest.raises(SweepFailed, match=named):
            sweep(lambda seed, bad=bad: bad, {"seed": [1]}, workers=workers)


def test_cells_must_agree_on_their_results():
    with pytest.raises(ValueError, match="seed': 2"):
        sweep(odd_one, {"seed": range(4)}, workers=0)


@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("seed is empty", {"grid": {"d": [1], "seed": []}}),
        ("no dimension", {"grid": {}}),
        ("both set seed", {"grid": {"d": [1], "seed": [1]}, "seed": 2}),
        ("holds 2 twice", {"grid": {"d": [2, 3, 2], "seed": [1]}}),
        ("holds 1.0 twice", {"grid": {"d": [1, 1.0], "seed": [1]}}),
        ("NaN", {"grid": {"d": [1], "seed": [float("nan")]}}),
        ("must be a list", {"grid": {"d": "12", "seed": [1]}}),
        ("tolist", {"grid": {"d": [1], "seed": [1]}, "scale": np.zeros(3)}),
        ("cannot be a parameter", {"grid": {"d": [1], "seed": [torch.float32]}}),
        ("workers = -1", {"grid": {"d": [1], "seed": [1]}, "workers": -1}),
        ("time_limit = 0", {"grid": {"d": [1], "seed": [1]}, "time_limit": 0}),
        ("needs worker processes", {"grid": {"d": [1], "seed": [1]}, "time_limit": 1.0, "workers": 0}),
        ("on_failure = 'ignore'", {"grid": {"d": [1], "seed": [1]}, "on_failure": "ignore"}),
        ("store = 3", {"grid": {"d": [1], "seed": [1]}, "store": 3}),
        ("client = 3", {"grid": {"d": [1], "seed": [1]}, "client": 3}),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(named, arguments):
    with pytest.raises(BadParameter, match=named) as caught:
        sweep(labelled, **arguments)
    assert str(caught.value).endswith((".", ")"))


def test_what_is_no_function_is_refused():
    for thing in (print, labelled(1, 2), torch.nn.ReLU()):
        with pytest.raises(BadParameter, match="cannot be swept"):
            sweep(thing, {"d": [1]})


def test_a_bad_environment_is_refused(monkeypatch):
    monkeypatch.setenv("BEYOND_KERNEL_WORKERS", "many")
    with pytest.raises(BadParameter, match="workers = 'many'"):
        sweep(labelled, {"d": [1], "seed": [1]})


def test_dimensions_may_hold_anything_that_can_be_told_apart():
    def cell(thing, seed):
        return {"kind": type(thing).__name__, "said": thing(seed) if callable(thing) else -1}

    values = [None, True, [1, 2], (3,), {"a": 1}, np.float64(0.5), busy.__call__, "text"]
    with pytest.raises(BadParameter):
        sweep(cell, {"thing": values, "seed": [0]}, workers=0)  # a bound method has no digest
    values[6] = _twice
    result = sweep(cell, {"thing": values, "seed": [4]}, workers=2)
    assert result.kind.values[:, 0].tolist() == [
        "NoneType",
        "bool",
        "list",
        "tuple",
        "dict",
        "float",
        "function",
        "str",
    ]
    assert int(result.said.sel(thing="_twice", seed=4)) == 8
    assert isinstance(result, xarray.Dataset)


def _twice(x):
    return 2 * x
