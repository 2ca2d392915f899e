"""Grids of runs and each workload, beside their peers, in one run: `make bench`, or `benchmarks/run.py --help`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

for name in ("OMP", "MKL", "OPENBLAS"):  # before any of them is loaded
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")

import torch  # noqa: E402
from escaping_workloads import escaping_workloads  # noqa: E402
from grid_report import grids_markdown, grids_plain  # noqa: E402
from grids import QUIET, measure_grids  # noqa: E402
from measuring import Workload, measure  # noqa: E402
from peer_process import PeerProcess  # noqa: E402
from report import circumstances, markdown, plain, record, under_load  # noqa: E402
from search_workloads import search_workloads  # noqa: E402
from workloads import SIZES, workloads  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
OWN_PEERS = {"escaping": escaping_workloads, "search": search_workloads}
"""Parts whose peers are torch alone, each with a table of its own."""
PARTS = ("grids", "numerics", *OWN_PEERS)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables and write them to ``_build/bench``; 2 if the device is not there.

    Args:
        arguments: of the command line.
    """
    chosen = _parser().parse_args(arguments)
    kind = chosen.device.split(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        print("DEVICE=cuda: torch finds no such device here.", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    chosen.out.mkdir(parents=True, exist_ok=True)
    parts = chosen.only or PARTS
    if "grids" in parts and kind == "cpu":  # first, while the load is that of others
        _grids(chosen.scale, chosen.out, chosen.record)
    if "numerics" in parts:
        other = PeerProcess(chosen.peers)
        try:
            results = _measured(workloads(chosen.scale, chosen.device, other))
        finally:
            other.close()
        _tell(chosen, "results", kind, results, circumstances(kind, other.versions))
    for part, these in OWN_PEERS.items():
        if part in parts:
            load = under_load(QUIET)
            results = _measured(these(chosen.scale, chosen.device))
            _tell(chosen, part, f"{part} {kind}", results, [load, *circumstances(kind, {})])
    return 0


def _grids(scale: str, out: Path, recorded: bool) -> None:
    start = time.monotonic()
    found = measure_grids(
        scale, out, lambda text: print(f"{time.monotonic() - start:5.0f} s  {text}", file=sys.stderr, flush=True)
    )
    (out / "grids.md").write_text(grids_markdown(found) + "\n", "utf-8")
    (out / "grids.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(grids_plain(found), end="\n\n")
    if recorded:
        record(ROOT / "book/benchmarks.md", "grids", grids_markdown(found))


def _measured(these: Iterable[Workload]) -> list[dict]:
    results, start = [], time.monotonic()
    for workload in these:
        print(f"{time.monotonic() - start:5.0f} s  {workload.name}; {workload.size} ...", file=sys.stderr, flush=True)
        results.append(measure(workload))
    print(f"{time.monotonic() - start:5.0f} s  done", file=sys.stderr, flush=True)
    return results


def _tell(chosen: argparse.Namespace, file: str, place: str, results: list[dict], told: list[tuple[str, str]]) -> None:
    page, found = markdown(results, told), {"told": dict(told), "results": results}
    (chosen.out / f"{file}.md").write_text(page + "\n", "utf-8")
    (chosen.out / f"{file}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print("\n".join([plain(results), *(f"{name}: {value}" for name, value in told)]))
    if chosen.record:
        record(ROOT / "book/benchmarks.md", place, page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="a torch device: cpu, cuda")
    parser.add_argument("--peers", help="an interpreter with neural-tangents; .venv-peers where it exists")
    parser.add_argument("--scale", choices=SIZES, default="full", help="tiny: to see that it runs")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some parts of it; without it all")
    parser.add_argument("--record", action="store_true", help="write the tables to book/benchmarks.md")
    parser.add_argument("--out", type=Path, default=ROOT / "_build/bench", help="folder of the tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())
