"""Rules about a chapter's parameters: declared, explained, checked, read, kept, equal to the profile's."""

import ast
from collections.abc import Iterator

from chapter_cells import Chapter, Fault, keywords, literal, names_read
from parameter_table import meanings

ALWAYS = ("seed", "n_seeds")
SHORTEST_COMMENT = 10
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
OWN_NAMES = (ast.FunctionDef, ast.ClassDef, ast.Lambda, *COMPREHENSIONS)


def parameters_third(chapter: Chapter) -> Iterator[Fault]:
    """One cell is tagged ``parameters``, and it follows the imports."""
    tagged = chapter.tagged("parameters")
    if len(tagged) != 1:
        yield None, f"exactly one code cell must be tagged `parameters`; {len(tagged)} are"
    for cell in chapter.tagged("imports")[:1]:
        if tagged and chapter.after(cell) is not tagged[0]:
            yield tagged[0].number, f"the parameters must directly follow the imports (cell {cell.number})"


def parameters_are_literals(chapter: Chapter) -> Iterator[Fault]:
    """A parameter is one name with one literal value, so that papermill and the profile can replace it."""
    for cell in chapter.tagged("parameters")[:1]:
        known = set(map(id, chapter.parameters.values()))
        for node in cell.tree.body:
            if id(node) not in known:
                yield cell.number, f"write one `name = literal  # meaning` a line, not `{ast.unparse(node)}`"
            elif not literal(node.value)[0]:
                yield cell.number, f"the value must be a literal in `{ast.unparse(node)}`"


def parameters_are_explained(chapter: Chapter) -> Iterator[Fault]:
    """Each parameter has a comment, behind it or above it, with its meaning and range."""
    for cell in chapter.tagged("parameters")[:1]:
        told = meanings(cell.source)
        for name in chapter.parameters:
            if len(told.get(name, "")) < SHORTEST_COMMENT:
                yield cell.number, f"{name} needs a comment with its meaning and range"


def parameters_have_seeds(chapter: Chapter) -> Iterator[Fault]:
    """The reader may choose the seed and the number of seeds."""
    for cell in chapter.tagged("parameters")[:1]:
        for name in ALWAYS:
            if name not in chapter.parameters:
                yield cell.number, f"the parameter `{name}` is missing"


def parameters_are_checked(chapter: Chapter) -> Iterator[Fault]:
    """The next cell passes every parameter, and no other name, to ``chapter_parameters``."""
    for cell in chapter.tagged("parameters")[:1]:
        check = chapter.after(cell)
        calls = check.calls("chapter_parameters") if check and check.is_code else []
        if not calls or "check-parameters" not in check.tags:
            yield cell.number + 1, "the cell after the parameters must be tagged `check-parameters` and do so"
            continue
        if [ast.unparse(argument) for argument in calls[0].args] != ["globals()"]:
            yield check.number, "the first argument of chapter_parameters must be globals()"
        for name in sorted(set(keywords(calls[0])) ^ set(chapter.parameters)):
            where = "is not checked" if name in chapter.parameters else "is checked but not declared"
            yield check.number, f"the parameter `{name}` {where}"


def parameters_are_read(chapter: Chapter) -> Iterator[Fault]:
    """Each parameter matters: a later cell of the story reads it."""
    for cell in chapter.tagged("parameters")[:1]:
        later = [other for other in chapter.code if other.number > cell.number and not other.solution]
        read = names_read(other.tree for other in later if "check-parameters" not in other.tags)
        for name in [name for name in chapter.parameters if name not in read]:
            yield cell.number, f"no later cell outside the solutions reads the parameter `{name}`"


def parameters_are_kept(chapter: Chapter) -> Iterator[Fault]:
    """No later cell gives a parameter another value behind the reader's back."""
    for cell in chapter.tagged("parameters")[:1]:
        for other in chapter.code[cell.number - 1 :]:
            for name in sorted(_names_set(other.tree) & set(chapter.parameters)):
                if other.number > cell.number:
                    yield other.number, f"the parameter `{name}` is set again: give this value another name"


def parameters_match_profile(chapter: Chapter) -> Iterator[Fault]:
    """The full profile sets exactly the parameters that the chapter declares."""
    if chapter.profile_keys is None:
        return
    for name in sorted(chapter.profile_keys ^ set(chapter.parameters)):
        where = "declared, but not in" if name in chapter.parameters else "not declared, but in"
        yield None, f"the parameter `{name}` is {where} the full profile (book/profiles.yml)"


def _names_set(tree: ast.AST) -> set[str]:
    """Return the names that a cell sets for later cells: none of a function's or a comprehension's own."""
    found, nodes = set(), [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        nodes += [child for child in ast.iter_child_nodes(node) if not isinstance(child, OWN_NAMES)]
    return found


RULES = (
    parameters_third,
    parameters_are_literals,
    parameters_are_explained,
    parameters_have_seeds,
    parameters_are_checked,
    parameters_are_read,
    parameters_are_kept,
    parameters_match_profile,
)
