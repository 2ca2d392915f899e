"""One run of the benchmarks at sizes where nothing is timed in earnest, and what it must not tell."""

import os
import platform
import re
import subprocess
import sys

from chapter_cells import ROOT


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Return the finished run, with what it printed."""
    command = [sys.executable, "benchmarks/run.py", "--scale", "tiny", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment)


def names_the_machine(text: str) -> bool:
    """Say whether a text holds the name of this machine, or a path on it."""
    named = len(platform.node()) >= 4 and platform.node() in text
    return named or re.search(r"/(home|work|tmp|root|Users)/", text) is not None
