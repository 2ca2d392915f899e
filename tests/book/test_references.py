"""Citations, labels, cross-references, glossary terms and local links all lead somewhere."""

import pytest
from chapter_cells import ROOT
from myst_text import Label
from references import (
    bibliography_faults,
    citation_faults,
    duplicate_labels,
    labels_from_code,
    read_bibliography,
    read_sources,
    reference_faults,
)


@pytest.fixture(scope="module")
def sources():
    return read_sources()


@pytest.fixture(scope="module")
def bibliography():
    return read_bibliography((ROOT / "book/references.bib").read_text(encoding="utf-8"))


def test_bibliography_is_complete(bibliography):
    assert bibliography
    assert bibliography_faults(bibliography) == []


def test_citations_and_bibliography_agree(sources, bibliography):
    assert citation_faults(sources, bibliography) == []


def test_labels_are_unique(sources):
    assert duplicate_labels(sources, labels_from_code()) == []


def test_cross_references_lead_somewhere(sources):
    assert reference_faults(sources, labels_from_code()) == []


BIB = """@article{a2000,
  author = {A. A.}, % a comment
  title = {{On} things},
  journal = {J},
  year = 2000,
}
@misc{b2001, author = "B", title = {T},
  year = {2001}}
"""
ON_ONE_LINE = '@misc{c2002, author = "B", title = {T}, year = {2001}}\n'

PAGE = """(top)=
# Top

```{prf:theorem} {cite:t}`a2000`
:label: thm-a
See {numref}`Figure %s <fig-a>`.
```

$$ x = 1 $$ (eq-x)

````{glossary}
kernel
  A function.
````

``{ref}`nothing` `` and

```
{ref}`nothing-either`
```

{prf:ref}`thm-a`, {eq}`eq-x`, {ref}`Up <top>`, {term}`kernels <Kernel>`, {doc}`/book/page`, {doc}`page`,
[up](#top), [page](../book/page.md), [out](https://example.org), {cite:p}`a2000, b2001`
"""


def test_bibliography_is_read():
    first, second = read_bibliography(BIB)
    assert (first.kind, first.key, second.key) == ("article", "a2000", "b2001")
    assert {"author", "title", "journal", "year"} <= first.fields
    assert bibliography_faults([first, second]) == []
    assert bibliography_faults(read_bibliography(ON_ONE_LINE)) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  journal = {J},\n", "", "a2000 lacks the field journal"),
        ("  journal = {J},\n", "  journal = {},\n", "a2000 lacks the field journal"),
        ("b2001", "a2000", "a2000 stands in the bibliography twice"),
        ("@misc", "@online", "b2001: unknown kind @online"),
    ],
)
def test_a_faulty_bibliography_is_seen(old, new, fault):
    assert fault in "\n".join(bibliography_faults(read_bibliography(BIB.replace(old, new))))


def test_a_missing_and_an_unused_work_are_seen():
    entries = read_bibliography(BIB)
    assert citation_faults({"book/page": PAGE}, entries) == []
    assert len(citation_faults({"book/page": PAGE}, entries[:1])) == 1
    assert len(citation_faults({"book/page": PAGE.replace("b2001", "a2000")}, entries)) == 1


def test_a_label_that_is_defined_twice_is_seen():
    page = {"book/page": PAGE}
    assert duplicate_labels(page, []) == []
    assert duplicate_labels(page, [Label("any", "thm-a")]) == ["thm-a"]
    assert duplicate_labels(page | {"book/other": PAGE}, []) == ["eq-x", "thm-a", "top"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<fig-a>", "<fig-b>"),
        ("{prf:ref}`thm-a`", "{prf:ref}`top`"),
        ("{eq}`eq-x`", "{eq}`eq-y`"),
        ("<top>", "<bottom>"),
        ("<Kernel>", "<Colonel>"),
        ("`/book/page`", "`/page`"),
        ("`page`", "`pages`"),
        ("(#top)", "(#bottom)"),
        ("(../book/page.md)", "(../page.md)"),
        ("``{ref}`nothing` ``", "{ref}`nothing`"),
    ],
)
def test_a_reference_to_nothing_is_seen(old, new, monkeypatch, tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/page.md").write_text(PAGE)
    monkeypatch.setattr("references.ROOT", tmp_path)
    figure = [Label("any", "fig-a")]
    assert old in PAGE
    assert reference_faults({"book/page": PAGE}, figure) == []
    assert len(reference_faults({"book/page": PAGE.replace(old, new)}, figure)) == 1
