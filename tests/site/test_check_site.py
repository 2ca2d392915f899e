"""The link check must find each kind of broken reference, and nothing on a sound site."""

from pathlib import Path

import links
import pytest

SOUND = """<html><head><link rel="icon" href="_static/icon.svg"></head><body>
<h1 id="top">Title</h1><a href="#top">up</a> <a href="part/other.html#here">on</a> <a href="#">nowhere</a>
<a href="https://example.org/paper">a paper</a> <a href="mailto:someone@example.org">write</a>
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="dot"><script src="_static/code.js?v=1"></script>
</body></html>"""
OTHER = '<html><body><p id="here">x</p><a href="../index.html">back</a><a href="/index.html#top">home</a></body></html>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "_static").mkdir()
    (tmp_path / "part").mkdir()
    (tmp_path / "_static/icon.svg").write_text("<svg/>")
    (tmp_path / "_static/code.js").write_text("")
    (tmp_path / "_static/template.html").write_text('<a href="{{ nothing }}">a template of the theme</a>')
    (tmp_path / "index.html").write_text(SOUND)
    (tmp_path / "part/other.html").write_text(OTHER)
    return tmp_path


def add(site: Path, element: str) -> list[str]:
    page = site / "part/other.html"
    page.write_text(OTHER.replace("</body>", element + "</body>"))
    return links.faults(site)


def test_a_sound_site_has_no_fault(site):
    assert links.faults(site) == []


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ('<a href="missing.html">x</a>', "part/other.html: refers to missing.html, which is not there"),
        ('<a href="../index.html#no">x</a>', "refers to ../index.html#no, but index.html has no #no"),
        ('<a href="#no">x</a>', "refers to #no, but part/other.html has no #no"),
        ('<img src="missing.png" alt="x">', "refers to missing.png, which is not there"),
        ('<a href="../part/">x</a>', "refers to ../part/, which is not there"),
        ('<meta http-equiv="Refresh" content="0; url=gone.html">', "refers to gone.html, which is not there"),
        ('<script src="https://cdn.example.org/a.js"></script>', "loads https://cdn.example.org/a.js from outside"),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', "loads //fonts.example.org/f.css from outside"),
        ('<img src="http://example.org/a.png" alt="x">', "loads http://example.org/a.png from outside"),
        ('<a href="file:///home/a.html">x</a>', "refers to file:///home/a.html, which no browser opens offline"),
    ],
)
def test_each_kind_of_broken_reference_is_found(site, element, fault):
    (found,) = add(site, element)
    assert found.endswith(fault)


def test_percent_signs_and_queries_are_understood(site):
    (site / "part/a file.html").write_text('<p id="ünder">x</p>')
    assert add(site, '<a href="a%20file.html?highlight=x#%C3%BCnder">x</a>') == []


def test_templates_of_the_theme_are_no_pages(site):
    assert [path.name for path in links.pages_of(site)] == ["index.html", "other.html"]


def test_a_page_that_only_redirects_is_known(site):
    (site / "start.html").write_text('<meta http-equiv="Refresh" content="0; url=index.html" />')
    assert links.read(site / "start.html").redirects and not links.read(site / "index.html").redirects
