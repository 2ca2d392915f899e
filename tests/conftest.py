"""The order of the tests."""

LONG = "tests/book/test_verdicts.py::test_chapter_prints"


def pytest_collection_modifyitems(items: list) -> None:
    """Run the chapters first: each takes a good part of a minute, and one that begins last has a core wait for it."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
