"""A sweep shows a bar to people, a line now and then to logs, and nothing where that is asked for."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from beyond_kernel.sweeps import progress
from beyond_kernel.sweeps.progress import Progress

RUN = """
from beyond_kernel.sweeps import sweep
from light_cells import troubled
sweep(troubled, {"seed": [0, 1, *range(7, 40)]}, workers=1, on_failure="gaps")
"""


@pytest.fixture
def clock(monkeypatch):
    """Return a list whose only number is the time."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    for name in ("CI", "TQDM_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    return now


def test_logs_get_a_line_now_and_then(clock, capsys):
    told = Progress("cell", 1000, 200)
    for step in range(300):
        clock[0] += 0.25
        told.step(failed=step in (3, 4))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "cell: 320 of 1000 cells, 2 failed, 4 a second, 170 s left",
        "cell: 440 of 1000 cells, 2 failed, 4 a second, 140 s left",
    ]
    told.close()
    assert capsys.readouterr().err.startswith("cell: 500 of 1000 cells")


def test_short_runs_leave_no_line(clock, capsys):
    told = Progress("cell", 10)
    for _ in range(10):
        told.step(False)
    told.close()
    assert capsys.readouterr().err == ""


def test_nothing_is_said_where_bars_are_off(clock, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    told = Progress("cell", 10)
    clock[0] += 1000
    told.step(False)
    told.close()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_failures_and_rate():
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TQDM_DISABLE")}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TQDM_MININTERVAL": "0"}
    process = subprocess.Popen([sys.executable, "-c", RUN], stderr=inner, env=environment)
    os.close(inner)
    seen = b""
    while True:
        try:
            piece = os.read(outer, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(outer)
    assert process.wait(60) == 0
    text = seen.decode(errors="replace")
    assert "troubled" in text and "1 failed" in text and "/35" in text and "cell/s" in text
