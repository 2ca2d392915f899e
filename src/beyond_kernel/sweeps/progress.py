"""What a running sweep says: a bar for people, a line now and then for logs, nothing where it is asked for."""

import os
import sys
import time

from tqdm.auto import tqdm

LINE_EVERY = 30  # seconds between two lines where nobody watches


class Progress:
    """Cells done and failed, rate and time left.

    Args:
        name: of what is run.
        total: number of cells.
        before: cells that an earlier run has done.
    """

    def __init__(self, name: str, total: int, before: int = 0):
        self.name, self.total, self.done, self.failed, self.before = name, total, before, 0, before
        self.begun = self.told = time.monotonic()
        quiet = os.environ.get("TQDM_DISABLE", "") not in ("", "0")
        watched = not quiet and not os.environ.get("CI") and (sys.stderr.isatty() or _in_notebook())
        self.lines = not quiet and not watched
        self.bar = tqdm(desc=name, total=total, initial=before, unit="cell", leave=False) if watched else None

    def step(self, failed: bool) -> None:
        """Count one more cell."""
        self.done += 1
        self.failed += failed
        if self.bar is not None:
            if failed:
                self.bar.set_postfix_str(f"{self.failed} failed", refresh=False)
            self.bar.update()
        elif self.lines and time.monotonic() - self.told >= LINE_EVERY:
            self.told = time.monotonic()
            self.say(self.line())

    @property
    def left(self) -> int:
        """Number of cells that have not ended."""
        return self.total - self.done

    def line(self) -> str:
        """Return the present state in one line."""
        rate = (self.done - self.before) / max(time.monotonic() - self.begun, 1e-9)
        failed = f", {self.failed} failed" if self.failed else ""
        left = self.left / rate if rate else float("inf")
        return f"{self.name}: {self.done} of {self.total} cells{failed}, {rate:.3g} a second, {left:.0f} s left"

    def say(self, sentence: str) -> None:
        """Write a sentence that matters, without breaking the bar."""
        tqdm.write(sentence, file=sys.stderr)

    def close(self) -> None:
        """Remove the bar; a run that said something says how it ended."""
        if self.bar is not None:
            self.bar.close()
        elif self.lines and self.told > self.begun:
            self.say(self.line())


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
