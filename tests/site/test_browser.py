"""The browser check must see each kind of fault, one page each, and none on a sound page."""

import shutil
import time
from pathlib import Path

import check_site
import pytest
from offline_mathjax import mathjax_folder
from visitor import SIZES, Visitor

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `site` is missing; see make site-check")
pytestmark = pytest.mark.skipif(check_site.find_browser() is None, reason="there is no Chromium on the PATH")

PAGE = """<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"></head><body><main><h1>Title</h1>{}</main></body></html>"""
SOUND = """<p>Text with <span class="math"><mjx-container>x</mjx-container></span>, <code>$$ in code</code>.</p>
<img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">"""
STATIC = Path(__file__).parents[2] / "book/_static"
LATE = """<style>@font-face { font-family: Late; src: url(late.woff); size-adjust: 1000%; }
pre { font: 20px monospace; width: 300px; height: 90px; overflow-x: auto; }</style>
<script src="scroll.js"></script><pre>A = B + C</pre>
<script>addEventListener("load", () => setTimeout(() => document.querySelector("pre").style.fontFamily = "Late", 200))
</script>"""
TALL = """<style>mjx-container[display] { display: block; overflow: auto; height: 20px; font: 60px/1 serif; }</style>
<link rel="stylesheet" href="custom.css"><mjx-container display="true">x</mjx-container>"""
FAULTS = {
    '<script>console.error("broken")</script>': "console error: broken",
    "<script>undefinedFunction()</script>": "script error: undefinedFunction is not defined",
    '<script src="https://example.org/a.js"></script>': "asks the outside for https://example.org/a.js",
    "<style>@import url(//example.org/a.css);</style>": "asks the outside for http://example.org/a.css",
    '<script>fetch("missing.json")</script>': "missing.json answers 404",
    '<p>A formula <span class="math">\\(x\\)</span></p>': "formula left as text: \\(x\\)",
    "<mjx-container><mjx-merror>Undefined control sequence</mjx-merror></mjx-container>": "formula with an error",
    '<img alt="a curve" src="data:image/png;base64,AAAA">': "picture that does not load",
    '<img alt="" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">':
        "picture without an alternative text",
    "<p>See {prf:ref}`thm-main`</p>": "markup left as text",
    "<p>Then $$x^2$$</p>": "markup left as text",
    '<p style="color: #bbb; background: #fff">pale</p>': "axe color-contrast",
    '<details><summary>Solution</summary><p style="color: #bbb; background: #fff">pale</p></details>':
        "axe color-contrast",
    '<a href="#x"></a>': "axe link-name",
    "<table><thead><tr><th></th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>": "axe empty-table-header",
    '<p style="width: 800px">wide</p>': "px wider than the screen (at 390 px)",
    '<script>document.documentElement.dataset.theme = "dark"</script>': "shown in the dark theme",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of a site with script and style of the book's pages and a font."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(next(mathjax_folder().rglob("MathJax_Main-Regular.woff")), folder / "late.woff")
    for name in ("scroll.js", "custom.css"):
        shutil.copy(STATIC / name, folder)
    return folder


@pytest.fixture(scope="module")
def visitors(site):
    """Return a light and a dark tab at that site."""
    with check_site.served(site) as base, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=check_site.find_browser(), args=check_site.FLAGS)
        yield {theme: Visitor(browser, theme, base) for theme in SIZES}
        browser.close()


@pytest.fixture
def visitor(visitors):
    """Return the light one."""
    return visitors["light"]


@pytest.fixture
def visit(site, visitor):
    """Return a function that writes a page, opens it and returns its faults."""

    def write_and_visit(body: str) -> list[str]:
        (site / "index.html").write_text(PAGE.format(body))
        return visitor.visit("index.html")

    return write_and_visit


def test_a_sound_page_has_no_fault(visit):
    assert visit(SOUND) == []


@pytest.mark.parametrize("body", FAULTS)
def test_each_kind_of_fault_is_seen(visit, body):
    found = visit(SOUND + body)
    assert any(FAULTS[body] in fault for fault in found), found


def test_a_heading_that_is_a_formula_may_have_its_words_in_a_label(visit):
    head = '<th aria-label="n"><span class="math"><mjx-container></mjx-container></span></th>'
    rest = "<tbody><tr><td>1</td></tr></tbody></table>"
    assert visit(f"{SOUND}<table><thead><tr>{head}</tr></thead>{rest}") == []
    bare = head.replace(' aria-label="n"', "")
    assert any("empty-table-header" in fault for fault in visit(f"{SOUND}<table><thead><tr>{bare}</tr></thead>{rest}"))


PALE = "color: #bbb; background: #fff"
ALIKE = {  # among many that axe need not look at one by one, those that it must
    "by their place": f"<style>p:nth-of-type(5) {{ {PALE} }}</style>" + "<p>some words</p>" * 9,
    "by what they lie in": "<p><i>some words</i></p>" * 4 + '<p style="background: #333"><i>some words</i></p>'
        + "<p><i>some words</i></p>" * 6,
    "longer than a letter": f"<style>i {{ {PALE} }}</style><p>" + "<i>x</i> " * 3 + "<i>words</i> " + "<i>x</i> " * 5,
    "more than signs": f"<style>i {{ {PALE} }}</style><p>" + "<i>&rarr;&rarr;</i> " * 3
        + "<i>words</i> " + "<i>&rarr;&rarr;</i> " * 5,
    "in a form": f'<label style="{PALE}">words <input value="x"></label>',
}  # fmt: skip


@pytest.mark.parametrize("which", ALIKE)
def test_no_look_is_left_out(visit, which):
    found = visit(SOUND + ALIKE[which])
    assert any("axe color-contrast" in fault and "1280 px" in fault for fault in found), found


def test_a_fault_in_one_theme_is_found_there_and_the_narrow_screen_in_the_light_one(site):
    dark = "<style>@media (prefers-color-scheme: dark) { p { color: #444; background: #222; } }</style>"
    pages = {"sound": SOUND, "dark": SOUND + dark, "wide": SOUND + '<p style="width: 800px">wide</p>'}
    (site / "index.html").unlink(missing_ok=True)
    for name, body in pages.items():
        (site / f"{name}.html").write_text(PAGE.format(body))
    (site / "search.html").write_text(PAGE.format('<div id="search-results"><ul><li><a href="/">one</a></ul></div>'))
    checked = list(check_site.check_pages(site, check_site.find_browser(), 2))
    found = {what: faults for what, faults, _ in checked}
    looked_at = [*(f"{name}.html" for name in [*pages, "search"]), "search for 'Hermite'"]
    expected = [f"{what} ({theme})" for what in looked_at for theme in SIZES]
    assert sorted(what for what, _, _ in checked) == sorted(expected)
    faulty = {what: faults for what, faults in found.items() if faults}
    assert set(faulty) == {"dark.html (dark)", "wide.html (light)"}
    assert all("axe color-contrast" in fault for fault in faulty["dark.html (dark)"])
    assert all("px wider than the screen (at 390 px)" in fault for fault in faulty["wide.html (light)"])


def test_what_a_late_font_widens_can_be_reached_by_the_keyboard(visit, visitor):
    def answer_late(route):
        time.sleep(0.5)
        route.continue_()

    visitor.page.route("**/late.woff", answer_late)
    visit(SOUND + LATE)
    visitor.page.wait_for_function("() => document.querySelector('pre').scrollWidth > 400", timeout=10_000)
    visitor.page.wait_for_function("() => document.querySelector('pre').tabIndex === 0", timeout=2_000)


def test_a_formula_scrolls_sideways_only(visit):
    tall = "axe scrollable-region-focusable"
    assert any(tall in fault for fault in visit(SOUND + TALL.replace("custom.css", "data:text/css,")))
    assert visit(SOUND + TALL) == []
