"""Open every page of the built book in a real browser, in light and dark, and say what is wrong with it.

python tests/site/check_site.py _build/html

Needs the extra ``site`` and a Chromium on the PATH. Chromium is driven by Playwright's Python package, so no
second package manager is needed. axe comes with ``axe-playwright-python``, which ships axe-core itself.
"""

import argparse
import contextlib
import functools
import itertools
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import links
from visitor import SIZES, Visitor

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # no way out, and the cache stays in use
SEARCHED = "Hermite"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each; scripts, styles and fonts may be kept, pages are always asked for."""

    def end_headers(self) -> None:
        """Say that a page must not be kept."""
        if self.path.partition("?")[0].endswith((".html", "/")):
            self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves a site and does not mind a browser that leaves a page before it is complete."""

    def handle_error(self, *_: object) -> None:
        """Say nothing: what did not arrive is missing on the page."""


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder on this machine only, and give its address."""
    handler = functools.partial(Quiet, directory=str(site))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def find_browser() -> str | None:
    """Return the path of the first browser found, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def tasks_of(site: Path) -> list[tuple[str | None, str]]:
    """Return what is to be looked at, pairs of page and theme, the largest page first; None stands for the search."""
    pages = sorted(links.pages_of(site), key=lambda path: -path.stat().st_size)
    names = [path.relative_to(site).as_posix() for path in pages if not links.read(path).redirects]
    return list(itertools.product([*names, None], SIZES))


def check_pages(site: Path, browser_path: str, workers: int) -> Iterator[tuple[str, list[str], float]]:
    """Check every page and the search in both themes, several at a time; give for each its name, faults and seconds."""
    from playwright.sync_api import sync_playwright

    waiting, seen = queue.SimpleQueue(), queue.SimpleQueue()
    for task in tasks_of(site):
        waiting.put(task)

    def work(base: str) -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            visitors = {theme: Visitor(browser, theme, base) for theme in SIZES}
            with contextlib.suppress(queue.Empty):
                while True:
                    name, theme = waiting.get_nowait()
                    begun = time.monotonic()
                    faults = visitors[theme].visit(name) if name else visitors[theme].search(SEARCHED)
                    what = name or f"search for {SEARCHED!r}"
                    seen.put((f"{what} ({theme})", faults, time.monotonic() - begun))
            browser.close()

    with served(site) as base, ThreadPoolExecutor(workers) as pool:  # Playwright wants a thread of its own each
        jobs = [pool.submit(work, base) for _ in range(workers)]
        for job in jobs:
            job.add_done_callback(lambda _: seen.put(None))
        yield from itertools.chain.from_iterable(iter(seen.get, None) for _ in jobs)
        for job in jobs:
            job.result()


def main() -> int:
    """Check the site named on the command line, print a line for each page, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="folder of the built site, usually _build/html")
    cores = min(os.cpu_count() or 1, 8)
    parser.add_argument("--jobs", type=int, default=cores, help=f"browsers to work side by side ({cores})")
    options = parser.parse_args()
    site = options.site
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs} is not accepted: it must be at least 1")
    browser_path = find_browser()
    if not (site / "index.html").is_file():
        print(f"There is no built site in {site}: run `make book` first.", file=sys.stderr)
        return 2
    if browser_path is None:
        print(f"No browser found: install one of {', '.join(BROWSERS)} (Debian: chromium).", file=sys.stderr)
        return 2
    begun, passed, failed = time.monotonic(), 0, 0
    checks = [("links", links.faults(site), time.monotonic() - begun)]
    for what, faults, seconds in itertools.chain(checks, check_pages(site, browser_path, options.jobs)):
        print(f"{'FAILED' if faults else 'ok':6}  {what}  {seconds:.1f} s", flush=True)
        print("".join(f"        {fault}\n" for fault in dict.fromkeys(faults)), end="")
        passed, failed = passed + (not faults), failed + bool(faults)
    print(f"{passed} passed, {failed} failed in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
