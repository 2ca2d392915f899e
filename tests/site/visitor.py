"""A browser tab that opens a page of the book and says what is wrong with it."""

import looks

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SIZES = {"light": (WIDE, NARROW), "dark": (WIDE,)}  # a theme changes colours, and these are seen on the wide screen
OF_THE_THEME = {"label-content-name-mismatch", "region"}  # findings in the theme's own buttons and layout
LABEL = "aria-label="  # a heading that is a formula alone has its words here, where axe does not look for them
AXE = {"resultTypes": ["violations"], "preload": False}  # preloading would fetch style sheets a second time

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


class Visitor:
    """A browser tab in one theme that notes everything that goes wrong on the page at hand."""

    def __init__(self, browser, theme: str, base: str) -> None:
        self.theme, self.base, self.notes = theme, base, []
        context = browser.new_context(color_scheme=theme, viewport=WIDE)
        self.page = context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.notes.append(f"script error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _asked(self, request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.notes.append(f"asks the outside for {request.url}")

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
        for size in SIZES[self.theme]:
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
        from axe_playwright_python.base import AXE_SCRIPT

        self.page.evaluate(AXE_SCRIPT)
        self.page.evaluate(looks.MARK, looks.OF_EACH)
        violations = self.page.evaluate(looks.RUN, AXE)["violations"]
        return [
            f"axe {violation['id']}: {violation['help']}: {node['target'][0]}"
            for violation in violations
            if violation["id"] not in OF_THE_THEME
            for node in violation["nodes"][:5]
            if not (violation["id"] == "empty-table-header" and LABEL in node["html"])
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
