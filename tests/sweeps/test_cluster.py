"""The same grid on a Dask cluster: the same dataset bit for bit, the same care for failures."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from light_cells import logged, troubled
from trial_cells import drawn, labelled

from beyond_kernel.sweeps import BadParameter, SweepFailed, WorkerError, sweep

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module", params=["processes", "threads"])
def client(request):
    """Return a client of a cluster on this machine."""
    apart = request.param == "processes"
    shape = {"n_workers": 2 if apart else 1, "threads_per_worker": 1 if apart else 2, "processes": apart}
    with (
        distributed.LocalCluster(**shape, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


def test_a_cluster_gives_the_same_dataset_bit_for_bit(client, tmp_path):
    here = sweep(drawn, {"seed": range(12)}, workers=2)
    assert sweep(drawn, {"seed": range(12)}, client=client).identical(here)
    assert sweep(drawn, {"seed": range(12)}, client=client.scheduler.address).identical(here)
    grid = {"d": range(1, 9), "seed": range(5)}
    assert sweep(labelled, grid, client=client, scale=0.1).identical(sweep(labelled, grid, workers=0, scale=0.1))


def test_the_store_serves_both(client, tmp_path):
    store, log = tmp_path / "runs.sqlite", str(tmp_path / "log")
    sweep(logged, {"seed": range(20)}, store=store, workers=2, log=log)
    result = sweep(logged, {"seed": range(50)}, store=store, client=client, log=log)
    assert np.array_equal(result.root, np.sqrt(np.arange(50)))
    assert sweep(logged, {"seed": range(50)}, store=store, workers=0, log=log).identical(result)
    lines = (tmp_path / "log").read_text().split()
    assert sorted(map(int, lines)) == list(range(50))


def test_failures_are_named_on_a_cluster_too(client, tmp_path):
    with pytest.raises(SweepFailed) as caught:
        sweep(troubled, {"seed": range(9)}, client=client, time_limit=3.0, folder=str(tmp_path))
    status = {gap.parameters["seed"]: gap.status for gap in caught.value.gaps}
    assert status == {1: "raised", 2: "nan", 3: "timeout", 4: "died", 6: "raised"}
    assert caught.value.dataset.value.sel(seed=[0, 5, 7, 8]).values.tolist() == [0, 5, 7, 8]


def test_functions_of_a_notebook_travel(client):
    offset = 4

    def cell(seed):
        return {"value": seed + offset}

    assert sweep(cell, {"seed": range(30)}, client=client).value.values.tolist() == list(range(4, 34))


def test_another_version_of_the_package_on_the_cluster_is_refused(client, monkeypatch):
    from beyond_kernel.sweeps import sweeping
    from beyond_kernel.sweeps.fingerprints import Fingerprint

    right = sweeping.fingerprint_of(labelled)
    assert right.modules, "the test's own module counts"
    other = Fingerprint(right.name, right.code, dict.fromkeys(right.modules, "0"))
    monkeypatch.setattr(sweeping, "fingerprint_of", lambda function: other)
    with pytest.raises(WorkerError, match="another version of"):
        sweep(labelled, {"d": [1], "seed": [1]}, client=client)


def test_an_address_where_nobody_answers_is_told(monkeypatch):
    from beyond_kernel.sweeps import cluster

    monkeypatch.setattr(cluster, "ANSWER", 1)
    with pytest.raises(BadParameter, match="no Dask scheduler answers there"):
        sweep(labelled, {"d": [1], "seed": [1]}, client="tcp://127.0.0.1:9")


def killing(seed: int, marker: str, always: bool) -> dict:
    """Kill the Dask worker above this process at seed 7, the first time or always."""
    time.sleep(0.02)
    if seed == 7 and (always or not Path(marker).exists()):
        Path(marker).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(5)
    return {"value": seed}


@pytest.fixture(scope="module")
def mortal():
    """Return a cluster whose workers may be killed, with its client; another one takes a dead worker's place."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield cluster, client


@pytest.mark.parametrize("always", [False, True])
def test_a_dask_worker_that_dies_costs_no_cell(tmp_path, always, mortal):
    marker, (cluster, client) = tmp_path / "killed", mortal
    cluster.scheduler.allowed_failures = 0 if always else 3
    setting = {"client": client, "on_failure": "gaps", "marker": str(marker), "always": always}
    result = sweep(killing, {"seed": range(40)}, **setting)
    assert marker.exists() and result.value.drop_sel(seed=7).values.tolist() == [s for s in range(40) if s != 7]
    told = result.attrs.get("sweep_gaps", "")
    assert told.startswith("seed=7: died: every Dask worker that took it died") if always else not told
