"""A store keeps what was written, byte for byte, or refuses with a sentence and is left as it is."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from trial_cells import labelled

from beyond_kernel.sweeps import Store, StoreError, sweep
from beyond_kernel.sweeps.results import Outcome, pack, unpack

GRID = {"d": list(range(1, 9)), "seed": range(8)}


@pytest.fixture
def filled(tmp_path):
    """Return the path of a store with 64 cells, and their dataset."""
    path = tmp_path / "runs.sqlite"
    return path, sweep(labelled, GRID, store=path, workers=0)


def contents(folder):
    """Return every file of a folder with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packed_results_come_back_with_dtype_and_shape():
    results = {
        "a": 1, "b": np.float32(0.1), "c": [1.5, float("inf")], "d": np.arange(6).reshape(2, 3)[:, ::2], "e": True,
        "f": 1 + 2j, "g": "text", "h": np.zeros((0, 3)), "i": np.arange(3, dtype=">i4"),
    }  # fmt: skip
    found = unpack(pack(results))
    assert list(found) == list(results)
    for name, value in results.items():
        wanted = np.asarray(value)
        assert found[name].shape == wanted.shape and np.array_equal(found[name], wanted), name
        assert found[name].dtype == wanted.dtype.newbyteorder("<"), name


def test_what_is_done_is_not_run_again(filled, tmp_path):
    path, first = filled
    log = tmp_path / "log"

    def cell(d, seed):
        with log.open("a") as file:
            file.write("ran\n")
        return labelled(d, seed)

    sweep(cell, GRID, store=path, workers=0)
    assert len(log.read_text().splitlines()) == 64, "another function must not use these cells"
    sweep(cell, GRID, store=path, workers=0)
    assert len(log.read_text().splitlines()) == 64
    sweep(cell, {"d": [1, 2, 30], "seed": [7, 8]}, store=path, workers=0)
    assert len(log.read_text().splitlines()) == 64 + 4
    assert sweep(labelled, GRID, store=path).identical(first)


def test_the_order_of_keywords_makes_no_other_cell(tmp_path):
    log = tmp_path / "log"

    def cell(a, b, seed):
        with log.open("a") as file:
            file.write("ran\n")
        return {"value": a + b + seed}

    sweep(cell, {"seed": [1]}, store=tmp_path / "runs", workers=0, a=1, b=2)
    sweep(cell, {"seed": [1], "a": [1]}, store=tmp_path / "runs", workers=0, b=2)
    sweep(cell, {"seed": [1]}, store=tmp_path / "runs", workers=0, b=2, a=1)
    assert log.read_text() == "ran\n"


def test_one_version_never_answers_for_another(tmp_path, capsys):
    path = tmp_path / "runs.sqlite"

    def versioned(factor):
        def cell(seed):
            return {"value": factor * seed}

        return cell

    assert sweep(versioned(2), {"seed": [1, 2]}, store=path, workers=0).value.values.tolist() == [2, 4]
    assert sweep(versioned(3), {"seed": [1, 2, 5]}, store=path, workers=0).value.values.tolist() == [3, 6, 15]
    told = capsys.readouterr().err
    assert "holds 2 cells of" in told and "other versions of its code" in told and f"prune {path} removes" in told
    assert sweep(versioned(2), {"seed": [1, 2]}, store=path, workers=0).value.values.tolist() == [2, 4]
    with Store(path) as store:
        assert {version.id: count for version, _, count, _ in store.counts()} == {1: 2, 2: 3}


def test_a_cell_that_is_done_is_never_replaced(tmp_path):
    with Store(tmp_path / "a") as store:
        version = store.version("f", "c", "v")
        store.put(version, "{}", Outcome("raised", None, "first"))
        store.put(version, "{}", Outcome("done", b"x", "", 1.5, 2.5))
        store.put(version, "{}", Outcome("died", None, "later"))
        assert store.get(version, "{}") == Outcome("done", b"x", "", 1.5, 2.5) and store.is_done(version, "{}")
        assert store.get(version, "{1}") is None


def test_failed_cells_are_run_again_unless_told_not_to(tmp_path):
    path, open_now = tmp_path / "a", tmp_path / "open"

    def cell(seed):
        if not open_now.exists():
            raise OSError("closed")
        return {"value": seed}

    assert "closed" in sweep(cell, {"seed": [1]}, store=path, workers=0, on_failure="gaps").attrs["sweep_gaps"]
    open_now.touch()
    kept = sweep(cell, {"seed": [1]}, store=path, workers=0, on_failure="gaps", retry_failed=False)
    assert "closed" in kept.attrs["sweep_gaps"]
    assert sweep(cell, {"seed": [1]}, store=path, workers=0).value.values.tolist() == [1]


@pytest.mark.parametrize("place", range(10))
def test_a_truncated_store_is_refused_and_left_alone(filled, tmp_path, place):
    path, _ = filled
    whole = path.read_bytes()
    length = [0, 1, 99, 4096][place] if place < 4 else random.Random(place).randrange(100, len(whole))
    path.write_bytes(whole[:length])
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=r"runs.sqlite .*\.$"):
        sweep(labelled, GRID, store=path, workers=0)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("place", range(40))
def test_flipped_bytes_never_give_wrong_numbers(filled, tmp_path, place):
    path, right = filled
    chance = random.Random(place)
    data = bytearray(path.read_bytes())
    for _ in range(1 if place % 2 else 20):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    before = contents(tmp_path)
    try:
        found = sweep(labelled, GRID, store=path, workers=0)
    except StoreError as error:
        assert "left as it is" in str(error) or "format" in str(error) or "safe" in str(error)
        assert path.read_bytes() == before[path.name]
    else:
        assert found.identical(right)


def test_a_flipped_byte_in_a_result_is_seen(filled, tmp_path):
    path, _ = filled
    data = bytearray(path.read_bytes())
    place = data.index(np.float64(305.0).tobytes())  # the value at d=3, seed=5
    data[place + 3] ^= 4
    path.write_bytes(data)
    with pytest.raises(StoreError, match="a cell is not as it was written"):
        sweep(labelled, GRID, store=path, workers=0)
    assert path.read_bytes() == bytes(data)


@pytest.mark.parametrize("kind", ["text", "empty", "sqlite", "folder"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path, kind):
    path = tmp_path / "runs.sqlite"
    if kind == "folder":
        path.mkdir()
    elif kind == "sqlite":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE precious (x)")
        other.close()
    else:
        path.write_text("a thesis" * 100 if kind == "text" else "")
    before = contents(tmp_path) if kind != "folder" else None
    with pytest.raises(StoreError, match="cannot be used" if kind == "folder" else "is no store of a sweep"):
        sweep(labelled, GRID, store=path, workers=0)
    assert before is None or contents(tmp_path) == before


def test_a_store_of_a_newer_format_is_refused(filled):
    path, _ = filled
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        sweep(labelled, GRID, store=path, workers=0)


def test_a_missing_folder_is_named():
    with pytest.raises(StoreError, match="there is no folder"):
        sweep(labelled, GRID, store="no/such/folder/runs.sqlite", workers=0)


def test_nothing_is_left_beside_a_closed_store(filled, tmp_path):
    assert [path.name for path in tmp_path.iterdir()] == ["runs.sqlite"]


def test_after_a_sweep_on_processes_the_file_alone_holds_everything(tmp_path):
    path, copy = tmp_path / "runs.sqlite", tmp_path / "copy.sqlite"
    first = sweep(labelled, GRID, store=path, workers=2)
    shutil.copy(path, copy)
    with Store(copy) as store:
        assert [(status, count) for _, status, count, _ in store.counts()] == [("done", 64)]
    assert sweep(labelled, GRID, store=copy).identical(first)


def test_a_journal_that_was_cut_short_loses_its_end_only(tmp_path):
    path = tmp_path / "runs.sqlite"
    with Store(path) as store:
        version = store.version("f", "c", "v")
        for seed in range(200):
            store.put(version, f"{seed}", Outcome("done", pack({"value": seed})))
        copied = tmp_path / "copy.sqlite"
        shutil.copy(path, copied)  # as a crash leaves it: the newest rows are in the journal
        journal = path.with_name("runs.sqlite-wal").read_bytes()
    copied.with_name("copy.sqlite-wal").write_bytes(journal[: 2 * len(journal) // 3])
    with Store(copied) as store:
        kept = [int(text) for text, outcome, _ in store.cells(version) if unpack(outcome.result)["value"] == int(text)]
    assert 50 < len(kept) < 200 and sorted(kept) == list(range(len(kept)))


SWEEP = """
import sys
from beyond_kernel.sweeps import StoreError, sweep
def cell(seed, size=1):
    return {"value": [float(seed)] * size}
try:
    sweep(cell, {"seed": range(int(sys.argv[2]))}, store=sys.argv[1], workers=int(sys.argv[3]), size=int(sys.argv[4]))
    print("all", sys.argv[2])
except StoreError as error:
    print(error)
"""


def run_sweep(path, cells, workers, size, before=()):
    """Run a sweep in a process of its own and return what it printed."""
    command = [*before, sys.executable, "-c", SWEEP, str(path), str(cells), str(workers), str(size)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout.strip()


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_folder_is_told_in_a_sentence(tmp_path, exists):
    path = tmp_path / "deep" / "runs.sqlite"
    path.parent.mkdir()
    if exists:
        run_sweep(path, 3, 0, 1)
    before = contents(path.parent)
    path.parent.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    told = run_sweep(path, 4, 0, 1, drop)
    path.parent.chmod(0o755)
    assert "runs.sqlite cannot be" in told and told.endswith(".") and len(told.splitlines()) == 1
    assert contents(path.parent) == before


def small_disk(folder):
    """Return the beginning of a command that sees a disk of 2 MB at a folder, or None where that is not permitted."""
    mount = f"mount -t tmpfs -o size=2m tmpfs {folder}"
    command = ["unshare", "--mount", "sh", "-c"]
    allowed = shutil.which("unshare") and subprocess.run([*command, mount], capture_output=True).returncode == 0
    return [*command, f'{mount} && "$@"; cp {folder}/* {folder}-after/', "sh"] if allowed else None


@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_disk_ends_the_run_with_what_was_finished_safe(tmp_path, workers):
    folder, after = tmp_path / "disk", tmp_path / "disk-after"
    folder.mkdir()
    after.mkdir()
    before = small_disk(folder)
    if before is None:  # not permitted here: faked by a limit on the size of a file, which gives a write error as well
        before = ["sh", "-c", f'ulimit -f 2000; "$@"; cp {folder}/* {after}/', "sh"]
    told = run_sweep(folder / "runs.sqlite", 1000, workers, 1000, before)
    assert "runs.sqlite cannot be used" in told and "safe" in told and len(told.splitlines()) == 1, told
    with Store(after / "runs.sqlite") as store:
        (version,) = store.versions()
        kept = [unpack(outcome.result)["value"] for _, outcome, _ in store.cells(version)]
    assert 50 < len(kept) < 1000
    assert all(len(value) == 1000 and (value == value[0]).all() for value in kept)
    assert run_sweep(after / "runs.sqlite", 1000, 2, 1000) == "all 1000"
