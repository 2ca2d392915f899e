"""All rules that a chapter must keep; each is a function named after what it demands.

Each has mutations of the good chapter that break it and no other, see ``chapter_mutations``.
"""

from collections.abc import Iterable
from typing import Any

import chapter_code
import chapter_declarations
import chapter_figures
import chapter_form
import chapter_structure
from chapter_cells import Chapter

SUBJECTS = (chapter_structure, chapter_declarations, chapter_figures, chapter_form, chapter_code)
RULES = {rule.__name__: rule for subject in SUBJECTS for rule in subject.RULES}


def check_chapter(notebook: dict[str, Any], profile_keys: Iterable[str] | None = None) -> list[str]:
    """Return one sentence for each fault of a chapter: the rule, the cell and what is wrong.

    Args:
        notebook: the notebook as plain data, see ``chapter_cells.read_notebook``.
        profile_keys: the names that the full profile sets for it; None leaves that comparison out.
    """
    chapter = Chapter(notebook, None if profile_keys is None else frozenset(profile_keys))
    return [
        f"{name}: {'the chapter' if cell is None else f'cell {cell}'}: {fault}."
        for name, rule in RULES.items()
        for cell, fault in rule(chapter)
    ]
