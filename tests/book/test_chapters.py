"""Every chapter keeps every rule of chapter_rules."""

import pytest
from chapter_cells import EXPECTED, chapter_names, chapter_path, full_profile, read_notebook
from chapter_rules import check_chapter


@pytest.mark.parametrize("name", EXPECTED)
def test_the_first_chapters_are_there(name):
    assert chapter_path(name).is_file()


@pytest.mark.parametrize("name", chapter_names())
def test_chapter_keeps_every_rule(name):
    faults = check_chapter(read_notebook(chapter_path(name)), full_profile(name))
    assert not faults, "\n" + "\n".join(faults)
