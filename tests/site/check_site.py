"""Open every page of the built book in a real browser, in light and dark, and say what is wrong with it.

python tests/site/check_site.py _build/html

Needs the extra ``site`` and a Chromium on the PATH. Chromium is driven by Playwright's Python package, so no
second package manager is needed. axe comes with ``axe-playwright-python``, which ships axe-core itself.
"""

import argparse
import functools
import itertools
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import links

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
THEMES = ("light", "dark")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
OF_THE_THEME = {"label-content-name-mismatch", "region"}  # findings in the theme's own buttons and layout
AXE = {"resultTypes": ["violations"], "preload": False}  # preloading would fetch style sheets a second time
SEARCHED = "Hermite"

READY = "async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }"
UNFOLDED = """() => {
  document.querySelectorAll('button.toggle-button').forEach(button => button.click());
  document.querySelectorAll('details').forEach(block => block.open = true);
}"""
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
STATE = """async () => {
  const shown = [...document.images].filter(image => image.currentSrc || image.src);
  await Promise.allSettled(shown.map(image => { image.loading = 'eager'; return image.decode(); }));
  const formulas = [...document.querySelectorAll('.math')];
  const skipped = 'script, style, pre, code, .math, mjx-container';
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const raw = [];
  while (text.nextNode()) {
    const found = text.currentNode.data.match(/\\\\\\(|\\$\\$|\\{[a-z:]+\\}`|:::/);
    if (found && !text.currentNode.parentElement.closest(skipped)) raw.push(text.currentNode.data.trim());
  }
  return {
    plain: formulas.filter(node => !node.querySelector('mjx-container')).map(node => node.textContent),
    wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(node => node.textContent),
    empty: shown.filter(image => !image.naturalWidth).map(image => image.src),
    mute: [...document.images].filter(image => !image.alt.trim()).map(image => image.src),
    theme: document.documentElement.dataset.theme,
    raw,
  };
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves a site and does not mind a browser that leaves a page before it is complete."""

    def handle_error(self, *_: object) -> None:
        """Say nothing: what did not arrive is missing on the page."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder on this machine only, and give its address."""
    handler = functools.partial(Quiet, directory=str(site))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Visitor:
    """A browser tab in one theme that notes everything that goes wrong on the page at hand."""

    def __init__(self, browser, theme: str, base: str) -> None:
        from axe_playwright_python.sync_playwright import Axe

        self.theme, self.base, self.axe, self.notes = theme, base, Axe(), []
        context = browser.new_context(color_scheme=theme, viewport=WIDE)
        context.route(lambda url: not url.startswith((base, "data:", "blob:")), self._refuse)
        self.page = context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.notes.append(f"script error: {error}"))
        self.page.on("response", self._answered)

    def _refuse(self, route) -> None:
        self.notes.append(f"asks the outside for {route.request.url}")
        route.abort()

    def _listen(self, message) -> None:
        if message.type == "error":
            self.notes.append(f"console error: {message.text}")

    def _answered(self, response) -> None:
        if response.status >= 400:
            self.notes.append(f"{response.url.removeprefix(self.base)} answers {response.status}")

    def visit(self, name: str) -> list[str]:
        """Open a page and return what is wrong with it."""
        self.notes = []
        self.page.set_viewport_size(WIDE)
        self.page.goto(self.base + name)
        self.page.evaluate(READY)
        self.page.evaluate(UNFOLDED)
        found = self._state()
        for size in (WIDE, NARROW):
            self.page.set_viewport_size(size)
            self.page.evaluate(SETTLED)
            seen = [*self._width(), *self._accessibility()]
            found += [f"{fault} (at {size['width']} px)" for fault in seen]
        return found + self.notes

    def _state(self) -> list[str]:
        state = self.page.evaluate(STATE)
        words = {
            "plain": "formula left as text",
            "wrong": "formula with an error",
            "empty": "picture that does not load",
            "mute": "picture without an alternative text",
            "raw": "markup left as text",
        }
        found = [f"{sentence}: {item[:120]}" for key, sentence in words.items() for item in state[key]]
        return found + [f"shown in the {state['theme']} theme"] * (state["theme"] not in (self.theme, None))

    def _accessibility(self) -> list[str]:
        found = self._axe_findings()
        if found:  # a page may be caught while it changes colour: what counts is still there a second later
            self.page.wait_for_timeout(1000)
            again = self._axe_findings()
            found = [finding for finding in found if finding in again]
        return found

    def _axe_findings(self) -> list[str]:
        violations = self.axe.run(self.page, options=AXE).response["violations"]
        return [
            f"axe {violation['id']}: {violation['help']}: {node['target'][0]}"
            for violation in violations
            if violation["id"] not in OF_THE_THEME
            for node in violation["nodes"][:5]
        ]

    def _width(self) -> list[str]:
        over = self.page.evaluate(TOO_WIDE)
        return [f"{over} px wider than the screen"] if over > 1 else []

    def search(self, word: str) -> list[str]:
        """Look a word up in the site's own search and return what is wrong."""
        self.notes = []
        self.page.goto(f"{self.base}search.html?q={word}")
        try:
            self.page.wait_for_selector("#search-results li a", timeout=15_000)
        except Exception as error:  # whatever the reason: the search shows nothing
            return [f"search finds no {word!r}: {str(error).splitlines()[0]}", *self.notes]
        return self.notes


def find_browser() -> str | None:
    """Return the path of the first browser found, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def check_pages(site: Path, browser_path: str) -> Iterator[tuple[str, list[str], float]]:
    """Check every page and the search in both themes at once; give for each its name, faults and seconds."""
    from playwright.sync_api import sync_playwright

    names = [path.relative_to(site).as_posix() for path in links.pages_of(site)]
    names = [name for name in names if not links.read(site / name).redirects]
    seen: queue.SimpleQueue = queue.SimpleQueue()

    def check(theme: str, base: str) -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            visitor = Visitor(browser, theme, base)
            for name in names:
                begun = time.monotonic()
                seen.put((f"{name} ({theme})", visitor.visit(name), time.monotonic() - begun))
            begun = time.monotonic()
            seen.put((f"search for {SEARCHED!r} ({theme})", visitor.search(SEARCHED), time.monotonic() - begun))
            browser.close()

    with served(site) as base, ThreadPoolExecutor(len(THEMES)) as pool:  # Playwright wants a thread of its own each
        themes = [pool.submit(check, theme, base) for theme in THEMES]
        for theme in themes:
            theme.add_done_callback(lambda _: seen.put(None))
        yield from itertools.chain.from_iterable(iter(seen.get, None) for _ in themes)
        for theme in themes:
            theme.result()


def main() -> int:
    """Check the site named on the command line, print a line for each page, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="folder of the built site, usually _build/html")
    site = parser.parse_args().site
    browser_path = find_browser()
    if not (site / "index.html").is_file():
        print(f"There is no built site in {site}: run `make book` first.", file=sys.stderr)
        return 2
    if browser_path is None:
        print(f"No browser found: install one of {', '.join(BROWSERS)} (Debian: chromium).", file=sys.stderr)
        return 2
    begun, passed, failed = time.monotonic(), 0, 0
    checks = [("links", links.faults(site), time.monotonic() - begun)]
    for what, faults, seconds in itertools.chain(checks, check_pages(site, browser_path)):
        print(f"{'FAILED' if faults else 'ok':6}  {what}  {seconds:.1f} s", flush=True)
        print("".join(f"        {fault}\n" for fault in dict.fromkeys(faults)), end="")
        passed, failed = passed + (not faults), failed + bool(faults)
    print(f"{passed} passed, {failed} failed in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
