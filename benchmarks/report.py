"""What was measured, as a table on the terminal, as Markdown, and between the markers of the page."""

import datetime
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from measuring import growth

COLUMNS = ("workload", "beside", "ours, s", "peer, s", "ratio", "to reach", "share of the floor")


def circumstances(device: str, versions: dict[str, str]) -> list[tuple[str, str]]:
    """Return date, machine class, threads, BLAS and versions, without the name of the machine.

    Args:
        device: a torch device.
        versions: of packages in the other interpreter.
    """
    text = torch.__config__.show()
    library = re.search(r"oneAPI Math Kernel Library Version [\w.]+|OpenBLAS [\w.]+", text)
    build = re.search(r"BLAS_INFO=(\w+)", text)
    vectors = torch.backends.cpu.get_cpu_capability().replace("AVX", "AVX-")
    gpu = torch.cuda.get_device_name() if device != "cpu" else "no GPU"
    here = {"Python": platform.python_version()} | {
        name: version_of(name) for name in ("torch", "scipy", "scikit-learn")
    }
    clock = "CPU seconds" if device == "cpu" else "wall seconds up to synchronisation"
    return [
        ("date", datetime.date.today().isoformat()),
        ("machine", f"{os.cpu_count()} cores, {vectors} class, {gpu}"),
        ("time", f"{clock}, one thread ({torch.get_num_threads()} in torch); medians of interleaved rounds"),
        ("BLAS", f"{build[1] if build else 'unknown'} ({library[0] if library else 'version not told'})"),
        ("versions", ", ".join(f"{name} {value}" for name, value in (here | versions).items())),
    ]  # fmt: skip


def under_load(quiet: float) -> tuple[str, str]:
    """Return the load average of the minute before, and what it means for times.

    Args:
        quiet: load average up to which a machine counts as quiet.
    """
    load = os.getloadavg()[0]
    busy = ": **other work ran on the machine**, so only the ratios say something" if load > quiet else ""
    return "load average in the minute before", f"{load:.2f}{busy}"


def rows(results: list[dict]) -> list[tuple[str, ...]]:
    """Return one row for each workload and peer; a peer that is missing says why.

    Args:
        results: of ``measure``.
    """
    found = []
    for result in results:
        first = (f"{result['workload']}; {result['size']}",)
        ours, share = f"{result['ours']:.3g}", f"{100 * result['share']:.2g} %"
        for peer in result["peers"] or [{"peer": "(growth only)", "missing": ""}]:
            reach = f"{peer['reach']:g}" if peer.get("reach") else ""
            if "missing" in peer:
                cells = (peer["peer"], ours, peer["missing"], "", reach, share)
            else:
                ratio = f"{peer['ratio']:.1f}" if peer["ratio"] >= 2 else f"{peer['ratio']:.2f}"
                cells = (peer["peer"], ours, f"{peer['seconds']:.3g}", ratio, reach, share)
            found.append(first + cells)
    return found


def growths(results: list[dict]) -> list[str]:
    """Return one sentence for each workload that was run at several n.

    Args:
        results: of ``measure``.
    """
    sentences = []
    for name in dict.fromkeys(result["workload"] for result in results):
        runs = [result for result in results if result["workload"] == name]
        sizes = [run["n"] for run in runs]
        if len(set(sizes)) > 1:
            exponent = growth(sizes, [run["ours"] for run in runs])
            sentences.append(f"{name}: time grows as n to the power {exponent:.2f} from n={sizes[0]} to n={sizes[-1]}.")
    return sentences


def markdown(results: list[dict], told: list[tuple[str, str]]) -> str:
    """Return the table with its circumstances and growth exponents.

    Args:
        results: of ``measure``.
        told: of ``circumstances``.
    """
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---" + "|--:" * (len(COLUMNS) - 2) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results)]
    lines += [""] + [f"- {sentence}" for sentence in growths(results)]
    return "\n".join(lines + [f"- {name}: {value}." for name, value in told])


def plain(results: list[dict]) -> str:
    """Return the table for a terminal.

    Args:
        results: of ``measure``.
    """
    return "\n".join([aligned([COLUMNS, *rows(results)]), *growths(results)])


def aligned(table: list[tuple[str, ...]]) -> str:
    """Return rows as lines with columns of one width.

    Args:
        table: the rows.
    """
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)


def record(page: Path, device: str, text: str) -> None:
    """Write text between the markers of a page for a device, or for the grids.

    Args:
        page: the page.
        device: "cpu", "cuda", either after "escaping" or "search", or "grids".
        text: Markdown.

    Raises:
        ValueError: if the page lacks the markers.
    """
    start, end = f"<!-- measured: {device} -->", f"<!-- end: {device} -->"
    before, found, rest = page.read_text("utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page.name} lacks the lines {start} and {end}.")
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")


def version_of(name: str) -> str:
    """Return the version of a package that is installed here, or say that it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
