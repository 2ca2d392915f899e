"""Run chapters with papermill: several at a time, each under a time limit, none hiding another's failure."""

import json
import os
import platform
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from plan import BuildError, Run
from tqdm import tqdm

RECORD = "beyond_kernel_run"
"""Key of the notebook's metadata under which an executed copy says how it was made."""

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PACKAGES = ("torch", "numpy", "beyond-kernel")


@dataclass(frozen=True)
class Failure:
    """A chapter that did not finish: its name, where and why, and the files to look at."""

    chapter: str
    reason: str
    notebook: Path
    log: Path


@dataclass
class Job:
    """A run in progress."""

    run: Run
    process: subprocess.Popen
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started


def record(run: Run) -> dict | None:
    """Return how the executed copy was made if it is there and belongs to this run, else None."""
    try:
        found = nbformat.read(run.output, as_version=4).metadata.get(RECORD, {})
    except (OSError, ValueError):
        return None
    return found if found.get("key") == run.key else None


def run_all(runs: Sequence[Run], jobs: int, root: Path) -> list[Failure]:
    """Run chapters, at most ``jobs`` at a time, and return those that failed.

    An interrupt ends every kernel before it goes on its way; what was finished by then is kept.
    """
    if not runs:
        return []
    environment = kernel_environment(root, min(jobs, len(runs)))
    waiting, running, failures = deque(runs), [], []
    bar = tqdm(total=len(runs), unit="chapter", disable=not sys.stderr.isatty(), dynamic_ncols=True)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(start(waiting.popleft(), environment))
            bar.set_postfix_str(", ".join(f"{job.run.chapter} {job.seconds:.0f} s" for job in running))
            time.sleep(0.2)
            for job in [job for job in running if ended(job)]:
                running.remove(job)
                failure = conclude(job)
                failures += [failure] if failure else []
                bar.update()
                bar.write(f"  {job.run.chapter}: {'FAILED' if failure else 'done'} in {clock(job.seconds)}")
    finally:
        for job in running:
            kill_tree(job.process)
        bar.close()
    return failures


def start(run: Run, environment: dict[str, str]) -> Job:
    """Start papermill on a partial copy beside the output; only a finished run takes the output's name."""
    names = (".partial.ipynb", ".log", ".parameters.json")
    partial, log, parameters = (beside(run, name) for name in names)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    parameters.write_text(json.dumps(run.injected), "utf-8")
    command = [sys.executable, "-m", "papermill", str(run.source), str(partial), "--no-progress-bar"]
    command += ["--kernel", "python3", "--cwd", str(run.source.parent)]
    if run.injected:
        command += ["--parameters_file", str(parameters)]
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # an interrupt reaches the build first, which then ends the kernels
        )
    return Job(run, process)


def beside(run: Run, suffix: str) -> Path:
    """Return the path of a file that belongs to a run and lies beside its output."""
    return run.output.with_name(run.output.stem + suffix)


def ended(job: Job) -> bool:
    """Say whether a job is over, by itself or at its time limit."""
    return job.process.poll() is not None or job.seconds > job.run.timeout


def conclude(job: Job) -> Failure | None:
    """Keep the output of a job that succeeded, or return what went wrong."""
    run, partial = job.run, beside(job.run, ".partial.ipynb")
    in_time = job.process.poll() is not None
    if not in_time:
        kill_tree(job.process)
    if in_time and job.process.returncode == 0:
        publish(run, partial, job.seconds)
        return None
    reason = first_error(partial) or last_line(beside(run, ".log"))
    if not in_time:
        reason = f"{running_cell(partial)}stopped at the time limit of {clock(run.timeout)}"
    return Failure(run.chapter, reason, partial, beside(run, ".log"))


def publish(run: Run, partial: Path, seconds: float) -> None:
    """Write into the executed copy how it was made, and give it its final name in one step."""
    notebook = nbformat.read(partial, as_version=4)
    notebook.metadata[RECORD] = {
        "key": run.key,
        "profile": run.profile,
        "parameters": [[name, value] for name, value in run.parameters.items()],
        "seconds": round(seconds, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "machine": machine(),
    }
    nbformat.write(notebook, partial)
    os.replace(partial, run.output)
    beside(run, ".parameters.json").unlink(missing_ok=True)


def first_error(path: Path) -> str | None:
    """Return cell and last line of the first error in an executed notebook, or None."""
    for number, cell in enumerate(code_cells(path), start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                lines = [output.ename, *[line for line in output.evalue.splitlines() if line.strip()]]
                return f"code cell {number}: {': '.join([lines[0], *lines[1:][-1:]])}"
    return None


def running_cell(path: Path) -> str:
    """Return which cell was at work when a run was stopped, as the beginning of a sentence."""
    for number, cell in enumerate(code_cells(path), start=1):
        if cell.metadata.get("papermill", {}).get("status") == "running":
            return f"code cell {number}: "
    return ""


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    """Return the code cells of the chapter itself in an executed copy that may be missing or broken."""
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):
        return []
    return [cell for cell in cells if cell.cell_type == "code" and not tagged(cell, "injected-parameters")]


def tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    """Say whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [line for line in path.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "papermill ended without a word"


def kill_tree(process: subprocess.Popen) -> None:
    """End a process and everything that it started, kernels and their workers included."""
    try:
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    psutil.wait_procs(family, timeout=5)


def kernel_environment(root: Path, jobs: int = 1) -> dict[str, str]:
    """Return the environment of a run: one BLAS thread, no progress bars, nobody's own Jupyter settings.

    Where several chapters run at a time each runs its sweeps by itself; one alone spreads them over the cores.
    """
    build = root / "_build"
    for name in ("jupyter", "matplotlib"):
        (build / name).mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "JUPYTER_PATH"}
    if store := environment.get("BEYOND_KERNEL_STORE"):  # a run has a folder of its own
        environment["BEYOND_KERNEL_STORE"] = str(Path(store).absolute())
    if jobs > 1:
        environment.setdefault("BEYOND_KERNEL_WORKERS", "0")
    environment |= dict.fromkeys(ONE_THREAD, "1") | {
        "TQDM_DISABLE": "1",
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_DATA_DIR": str(build / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(build / "jupyter" / "config"),
        "JUPYTER_RUNTIME_DIR": str(build / "jupyter" / "runtime"),
        "IPYTHONDIR": str(build / "jupyter" / "ipython"),
        "MPLCONFIGDIR": str(build / "matplotlib"),
    }
    # The first use of matplotlib writes a notice, which would stand in a chapter: have it now.
    first_use = [sys.executable, "-c", "import matplotlib.font_manager"]
    fonts = subprocess.run(first_use, env=environment, capture_output=True, text=True)
    if fonts.returncode:
        raise BuildError(f"matplotlib cannot be imported: {fonts.stderr.strip().splitlines()[-1]}")
    return environment


def machine() -> str:
    """Return number of cores and model of the processor."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores of {model}"


def clock(seconds: float) -> str:
    """Return a duration in words: "48 s", "3 min 12 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
