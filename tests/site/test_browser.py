"""The browser check must see each kind of fault, one page each, and none on a sound page."""

import check_site
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `site` is missing; see make site-check")
pytestmark = pytest.mark.skipif(check_site.find_browser() is None, reason="there is no Chromium on the PATH")

PAGE = """<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"></head><body><main><h1>Title</h1>{}</main></body></html>"""
SOUND = """<p>Text with <span class="math"><mjx-container>x</mjx-container></span>, <code>$$ in code</code>.</p>
<img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">"""
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
    '<p style="width: 800px">wide</p>': "px wider than the screen (at 390 px)",
    '<script>document.documentElement.dataset.theme = "dark"</script>': "shown in the dark theme",
}  # fmt: skip


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Return a function that writes a page, opens it in a light browser and returns its faults."""
    site = tmp_path_factory.mktemp("site")
    with check_site.served(site) as base, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=check_site.find_browser(), args=check_site.FLAGS)
        visitor = check_site.Visitor(browser, "light", base)

        def write_and_visit(body: str) -> list[str]:
            (site / "index.html").write_text(PAGE.format(body))
            return visitor.visit("index.html")

        yield write_and_visit
        browser.close()


def test_a_sound_page_has_no_fault(visit):
    assert visit(SOUND) == []


@pytest.mark.parametrize("body", FAULTS)
def test_each_kind_of_fault_is_seen(visit, body):
    found = visit(SOUND + body)
    assert any(FAULTS[body] in fault for fault in found), found
