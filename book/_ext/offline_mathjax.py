"""Serve MathJax from the book itself: copy part of the package sphinx-mathjax-offline into the site."""

import shutil
from importlib.metadata import files
from pathlib import Path

from sphinx.application import Sphinx

PACKAGE = "sphinx-mathjax-offline"  # its folder of that name cannot be imported, so its files are looked up
ENTRY = "tex-chtml.js"
PARTS = (ENTRY, "input/tex/extensions", "output/chtml/fonts/woff-v2")  # 2.6 MB of 24 MB


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy MathJax beside the other static files of a finished HTML build."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir, "_static", "mathjax")
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def mathjax_folder() -> Path:
    """Return the folder of the installed package that holds MathJax's scripts and fonts."""
    entry = next(path for path in files(PACKAGE) or [] if path.name == ENTRY)
    return Path(entry.locate()).parent


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.config.mathjax_path = f"mathjax/{ENTRY}"
    app.set_html_assets_policy("always")  # a page without formulas still shows other chapters' titles
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
