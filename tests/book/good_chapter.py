"""The good chapter, which keeps every rule: its cells by a piece of their source, and how it is broken."""

from copy import deepcopy

from chapter_cells import ROOT, read_notebook
from count_lines import count, stated, with_count
from notebook_changes import Change, Notebook, all_of, put, take

GOOD_CHAPTER = ROOT / "tests/book/good_chapter.ipynb"

# The cells of the good chapter, each by a piece of its source.
TITLE = "# Averages settle"
IMPORTS = "import torch"
CHECK = "n_seeds=whole_number"
DRAWS = "draws = {s:"
FIGURE = 'title="The average settles"'
FAILURE = "draws[seed].flip(0)"
TWO_SIZES = 'title="Two sizes"'
VERDICT = "ledger.verdict()"
EMIT = "ledger.emit()"
LAST = "### Further reading"
CLAIM = "ledger.claim("


def broken(mutation: Change, recounted: bool = True) -> Notebook:
    """Return the good chapter after ``mutation``; if ``recounted``, its header states the lines of code that are left.

    Raises:
        ValueError: if the mutation changes nothing, or does not find the one cell that it changes.
    """
    good = read_notebook(GOOD_CHAPTER)
    changed = deepcopy(good)
    mutation(changed)
    if changed == good:
        raise ValueError("the mutation leaves the good chapter as it is")
    first = changed["cells"][0]
    if recounted and stated(first["source"]):
        first["source"] = with_count(first["source"], count(changed["cells"]))
    return changed


def fold(label: str, cell: str, tags: tuple[str, ...] = ()) -> Change:
    """Fold a cell under a label, with ``tags`` besides the one that folds."""
    return all_of(
        put("metadata.tags", [*tags, "hide-input"], cell=cell),
        put("metadata.mystnb.code_prompt_show", label, cell=cell),
        put("metadata.mystnb.code_prompt_hide", label, cell=cell),
    )


def unfold(cell: str, tags: tuple[str, ...] = ()) -> Change:
    """Show a folded cell, whose label is taken away."""
    return all_of(
        put("metadata.tags", list(tags), cell=cell),
        take("metadata.mystnb.code_prompt_show", cell=cell),
        take("metadata.mystnb.code_prompt_hide", cell=cell),
    )


def stream(name: str, text: str) -> dict[str, str]:
    """Return the stored output of a cell that prints ``text``."""
    return {"name": name, "output_type": "stream", "text": text}
