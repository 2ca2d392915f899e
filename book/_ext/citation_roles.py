"""Give the entries of the bibliography the role that a list's children must have.

docutils marks them ``doc-biblioentry``, which is deprecated and stands inside a ``list``.
"""

from sphinx.application import Sphinx


def as_list_items(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Replace the role in the finished body of a page."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", as_list_items)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
