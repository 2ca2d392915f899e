"""Real processes are killed, hang, collide and are interrupted: no finished cell is lost, none runs twice."""

import collections
import math
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from light_cells import busy, logged, troubled

from beyond_kernel.sweeps import BadParameter, SweepFailed, sweep
from beyond_kernel.sweeps.fingerprints import fingerprint
from beyond_kernel.sweeps.local import run_local
from beyond_kernel.sweeps.worker import Job, pickled

CELLS = 600
KILLS = 20
RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a script starts without
from beyond_kernel.sweeps import sweep
from light_cells import logged
sys.stdout.write("ready\\n"); sys.stdout.flush()
sweep(logged, {"seed": range(int(sys.argv[3]))}, store=sys.argv[1], workers=2, log=sys.argv[2],
      seconds=float(sys.argv[4]))
print("finished")
"""


STARTED = []


@pytest.fixture(autouse=True)
def nothing_outlives_a_failed_test():
    """End what ``start`` has started; the workers follow their owner."""
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()


def start(store, log, cells=CELLS, seconds=0.02):
    """Start a sweep in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TQDM_DISABLE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(store), str(log), str(cells), str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    STARTED.append(process)
    return process


def family(process):
    """Return a process and everything it has started."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def wait_for_lines(log, count):
    """Wait until a log has so many lines."""
    end = time.monotonic() + 60
    while not log.exists() or len(log.read_text().splitlines()) < count:
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.02)


def test_twenty_kills_of_the_parent_lose_nothing_and_repeat_nothing(tmp_path):
    chance = random.Random()  # another moment every time: the statement is about any
    store, log = tmp_path / "runs.sqlite", tmp_path / "log"
    log.touch()
    for _ in range(KILLS):
        assert len(log.read_text().splitlines()) < CELLS, "the run was over before it was disturbed"
        process = start(store, log)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(chance.uniform(0.0, 0.6))
        members = family(process)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(members[1:], timeout=5)
        assert not alive, "workers outlive their owner"
        process.stdout.close()
        process.stderr.close()
    result = sweep(logged, {"seed": range(CELLS)}, store=store, workers=2, log=str(log), seconds=0.02)
    counts = collections.Counter(log.read_text().split())
    assert set(counts) == {str(seed) for seed in range(CELLS)}
    assert set(counts.values()) == {1}, f"a finished cell ran twice: {counts.most_common(3)}"
    other = tmp_path / "other"
    undisturbed = sweep(logged, {"seed": range(CELLS)}, workers=2, log=str(other), seconds=0.0)
    assert result.drop_attrs().identical(undisturbed.drop_attrs())


def test_a_long_cell_is_given_up_when_the_owner_is_gone(tmp_path):
    process = start(tmp_path / "runs.sqlite", tmp_path / "log", 4, seconds=60.0)
    assert process.stdout.readline() == "ready\n"
    end = time.monotonic() + 30
    while len(workers := family(process)[1:]) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1.0)  # by now both are in their cells
    process.kill()
    process.wait()
    alive = psutil.wait_procs(workers, timeout=5)[1]
    for worker in alive:
        worker.kill()
    process.communicate()
    assert len(workers) == 2 and not alive


def test_a_worker_that_dies_after_its_cell_was_kept_is_not_to_blame(tmp_path):
    job = Job(pickled(troubled), fingerprint(troubled))
    cells = [(0, "four", {"seed": 4, "folder": str(tmp_path)}), (1, "nine", {"seed": 9})]
    ended = {index: outcome for index, _, outcome in run_local(job, cells, 1, finished=lambda text: text == "four")}
    assert ended[0] is None and ended[1].status == "done"


def test_an_interrupt_stops_at_once_and_keeps_what_is_done(tmp_path):
    store, log = tmp_path / "runs.sqlite", tmp_path / "log"
    process = start(store, log, 100_000)
    assert process.stdout.readline() == "ready\n"
    wait_for_lines(log, 10)
    members = family(process)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert time.monotonic() - begun < 5  # a cell that is at work is not waited for, nor those behind it
    assert "Stopped: " in told and f"kept in {store}" in told and "KeyboardInterrupt" in told
    assert not psutil.wait_procs(members, timeout=5)[1]
    done = len(log.read_text().splitlines())
    sweep(logged, {"seed": range(10)}, store=store, workers=1, log=str(log), seconds=0.02)
    assert len(log.read_text().splitlines()) == done


def test_a_worker_that_dies_costs_its_cell_which_is_tried_once_more(tmp_path):
    seeds = [0, 4, 5, *range(7, 40)]
    with pytest.raises(SweepFailed) as caught:
        sweep(troubled, {"seed": seeds}, workers=2, folder=str(tmp_path))
    (gap,) = caught.value.gaps
    assert gap.parameters == {"seed": 4} and gap.status == "died" and "signal 9" in gap.error
    values = caught.value.dataset.value
    assert math.isnan(values.sel(seed=4)) and np.array_equal(values.drop_sel(seed=4), [0, 5, *range(7, 40)])


def test_workers_killed_from_outside_lose_no_cell(tmp_path):
    log = tmp_path / "log"
    process = start(tmp_path / "runs.sqlite", log, 300)
    wait_for_lines(log, 10)
    for _ in range(5):
        for worker in family(process)[1:2]:
            worker.kill()
        wait_for_lines(log, len(log.read_text().splitlines()) + 20)
    out, told = process.communicate(timeout=60)
    assert "finished" in out, told
    result = sweep(logged, {"seed": range(300)}, store=tmp_path / "runs.sqlite", log=str(log), seconds=0.02)
    assert np.array_equal(result.root, np.sqrt(np.arange(300)))


def test_a_cell_over_its_time_limit_is_ended_and_the_others_go_on():
    begun = time.monotonic()
    result = sweep(troubled, {"seed": [3, *range(7, 30)]}, workers=2, time_limit=1.0, on_failure="gaps")
    assert time.monotonic() - begun < 30
    assert "seed=3: timeout: it was ended after 1." in result.attrs["sweep_gaps"]
    assert np.array_equal(result.value.sel(seed=slice(7, 30)), range(7, 30))


def test_what_a_cell_has_started_ends_with_it(tmp_path):
    marker = tmp_path / "pid"

    def cell(seed):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        marker.write_text(str(child.pid))
        return {"code": child.wait()}

    sweep(cell, {"seed": [1]}, workers=1, time_limit=1.0, on_failure="gaps")
    child = int(marker.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_two_sweeps_may_write_to_one_store_at_once(tmp_path):
    store = tmp_path / "runs.sqlite"
    processes = [start(store, tmp_path / "log", cells) for cells in (100, 150, 120)]
    for process in processes:
        out, told = process.communicate(timeout=120)
        assert "finished" in out, told
    ran = collections.Counter((tmp_path / "log").read_text().split())
    assert len(ran) == 150
    result = sweep(logged, {"seed": range(150)}, store=store, log=str(tmp_path / "log"), seconds=0.02)
    assert np.array_equal(result.root, np.sqrt(np.arange(150)))
    assert collections.Counter((tmp_path / "log").read_text().split()) == ran, "the store had not kept everything"


def test_a_function_that_no_worker_can_load_is_told(tmp_path, monkeypatch):
    (tmp_path / "fleeting.py").write_text("def cell(seed):\n    return {'value': seed}\n")
    monkeypatch.syspath_prepend(tmp_path)
    import fleeting

    (tmp_path / "fleeting.py").write_text("import no_such_module\ndef cell(seed):\n    return {'value': seed}\n")
    from beyond_kernel.sweeps import WorkerError

    with pytest.raises(WorkerError, match="cannot load fleeting.cell: ModuleNotFoundError"):
        sweep(fleeting.cell, {"seed": [1]}, workers=2)
    with pytest.raises(WorkerError, match="fleeting has changed since it was imported"):
        (tmp_path / "fleeting.py").write_text("def cell(seed):\n    return {'value': seed + 1}\n")
        sweep(fleeting.cell, {"seed": [1]}, workers=0)


def test_workers_that_wait_see_a_new_path_and_an_edited_module(tmp_path, monkeypatch):
    sweep(busy, {"seed": range(20)}, workers=1)  # its worker does not know the path below
    module = tmp_path / "edited.py"
    module.write_text("FACTOR = 2\ndef cell(seed):\n    return {'value': FACTOR * seed}\n")
    monkeypatch.syspath_prepend(tmp_path)
    import edited

    store = tmp_path / "runs.sqlite"
    assert sweep(edited.cell, {"seed": [1]}, workers=1, store=store).value.values.tolist() == [2]
    module.write_text(
        "FACTOR = 3  # longer, so that its size differs\ndef cell(seed):\n    return {'value': FACTOR * seed}\n"
    )
    assert sweep(edited.cell, {"seed": [1]}, workers=1, store=store).value.values.tolist() == [3]


def test_workers_are_used_again():
    pids = [set(sweep(_pid, {"seed": range(40)}, workers=2).pid.values.tolist()) for _ in range(3)]
    assert len(pids[0] | pids[1] | pids[2]) == 2 and os.getpid() not in pids[0]


def test_a_worker_that_starts_late_is_kept_for_the_next_sweep():
    pids = set()
    for _ in range(12):
        pids |= set(sweep(_pid, {"seed": [1, 2]}, workers=2).pid.values.tolist())
    assert len(pids) <= 4


def _pid(seed):
    time.sleep(0.02)
    return {"pid": os.getpid()}


def test_the_dearest_cells_begin_first(tmp_path):
    log = str(tmp_path / "log")
    sweep(logged, {"seed": range(30)}, workers=1, cost=lambda seed, log: (seed * 7) % 30, log=log)
    began = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert began == sorted(range(30), key=lambda seed: -((seed * 7) % 30))


def test_short_cells_are_sent_ahead():
    assert sweep(busy, {"seed": range(300)}, workers=2, seconds=0.001).seed.size == 300


def test_a_result_with_the_name_of_a_dimension_is_refused_early(tmp_path):
    log = tmp_path / "log"
    log.touch()

    def cell(seed, log):
        logged(seed, log)
        return {"seed": seed}

    with pytest.raises(BadParameter, match="returns seed, which is a dimension"):
        sweep(cell, {"seed": range(1000)}, workers=2, log=str(log))
    assert len(log.read_text().splitlines()) < 100
