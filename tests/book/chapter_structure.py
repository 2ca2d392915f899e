"""Rules about the order and the parts of a chapter: header, story, failures, exercises, verdict."""

import re
from collections.abc import Iterator

from chapter_cells import Cell, Chapter, Fault
from myst_text import directives, headings, sections

CLOSING_SECTIONS = ["When it fails", "Exercises", "Verdict", "What to take along"]
OPENING_LINES = ("What you will see", "Needs", "Time")
EMPTY_WORDS = re.compile(r"\b(simply|clearly|obviously|it is easy to see)\b", re.I)


def title_first(chapter: Chapter) -> Iterator[Fault]:
    """The first cell is markdown and holds the only ``# Title``, on its first line."""
    first = chapter.cells[0]
    if first.is_code or not first.source.startswith("# "):
        yield 1, "the first cell must be markdown that starts with `# Title`"
    for cell in chapter.prose[1:]:
        for title in [title for level, title in headings(cell.source) if level == 1]:
            yield cell.number, f"a chapter has one `# Title`; make {title!r} a section (`##`)"


def one_question(chapter: Chapter) -> Iterator[Fault]:
    """The header asks one question."""
    _, _, body = chapter.cells[0].source.partition("\n")
    if (count := body.count("?")) != 1:
        yield 1, f"the header must ask one question, below the title; it has {count} question marks"


def opening_lines(chapter: Chapter) -> Iterator[Fault]:
    """The header says what you will see, what the chapter needs and how long it takes."""
    for label in OPENING_LINES:
        if not _opening(chapter, label):
            yield 1, f"the header lacks its line **{label}**"


def time_at_both_profiles(chapter: Chapter) -> Iterator[Fault]:
    """The Time line gives the time at the quick and at the full profile."""
    line = _opening(chapter, "Time")
    for profile in ("quick", "full"):
        if line and not re.search(rf"\b{profile}\b", line):
            yield 1, f"the **Time** line must say how long the {profile} profile takes"


def imports_second(chapter: Chapter) -> Iterator[Fault]:
    """The imports follow the title."""
    if "imports" not in _tags_at(chapter, 1):
        yield 2, "the second cell must be the code cell tagged `imports`"
    for cell in chapter.tagged("imports")[1:]:
        yield cell.number, "a second cell is tagged `imports`"


def section_order(chapter: Chapter) -> Iterator[Fault]:
    """The story comes first, then the four closing sections in their order, further reading in the last."""
    titles = [title for level, title in headings(chapter.text) if level == 2]
    if titles[-4:] != CLOSING_SECTIONS:
        wanted, found = " / ".join(CLOSING_SECTIONS), " / ".join(titles[-4:])
        yield None, f"the last sections must be {wanted}; they are {found}"
    elif len(titles) == 4:
        yield None, "the story before `## When it fails` needs at least one section (`##`)"
    last = headings(sections(chapter.text).get(CLOSING_SECTIONS[-1], ""))
    if "Further reading" not in [title for _, title in last]:
        yield None, f"`## {CLOSING_SECTIONS[-1]}` must hold `### Further reading`"


def theorem_with_citation(chapter: Chapter) -> Iterator[Fault]:
    """At least one theorem-like block says whose statement it is."""
    blocks = [block for block in chapter.directives if block.name.startswith("prf:")]
    if not any("{cite" in block.argument + block.body for block in blocks):
        yield None, "no {prf:theorem} (or algorithm, definition ...) holds a citation such as {cite:t}"


def predict_first(chapter: Chapter) -> Iterator[Fault]:
    """The reader is asked to predict something before the first figure."""
    asked = [cell.number for cell in chapter.prose if _asks_to_predict(cell)]
    shown = [cell.number for cell in chapter.code if "figure" in cell.mystnb]
    if not asked:
        yield None, "there is no `{admonition} Predict first`"
    elif shown and shown[0] < asked[0]:
        yield shown[0], f"the first figure comes before the first `Predict first` (cell {asked[0]})"


def failure_is_run(chapter: Chapter) -> Iterator[Fault]:
    """A failure is shown by running it."""
    if not any(cell.section == CLOSING_SECTIONS[0] for cell in chapter.code):
        yield None, "`## When it fails` must run at least one failure in a code cell"


def three_exercises(chapter: Chapter) -> Iterator[Fault]:
    """There are three exercises, each with a label, all in their section."""
    labels = _exercises(chapter.text)
    here = _exercises(sections(chapter.text).get("Exercises", ""))
    if len(labels) != 3 or len(here) != 3:
        yield None, f"`## Exercises` must hold exactly three {{exercise}} blocks; it holds {len(here)}"
    for label in labels:
        if not label or labels.count(label) > 1:
            yield None, f"each exercise needs a `:label:` of its own; one has {label!r}"


def solutions_run(chapter: Chapter) -> Iterator[Fault]:
    """Each exercise has one folded solution with code in it."""
    starts = [block for block in chapter.directives if block.name == "solution-start"]
    answered = [block.argument for block in starts]
    for label in dict.fromkeys(_exercises(chapter.text)):
        if (count := answered.count(label)) != 1:
            yield None, f"exercise {label!r} needs exactly one {{solution-start}}; it has {count}"
        elif not any(cell.solution == label for cell in chapter.code):
            yield None, f"the solution of {label!r} must run: put a code cell between its start and its end"
    for block in starts:
        if block.argument not in _exercises(chapter.text):
            yield None, f"there is no exercise {block.argument!r} for this solution"
        if "dropdown" not in block.options.get("class", "").split():
            yield None, f"the solution of {block.argument!r} must be folded: `:class: dropdown`"
    if (ends := sum(block.name == "solution-end" for block in chapter.directives)) != len(starts):
        yield None, f"{len(starts)} {{solution-start}} but {ends} {{solution-end}}"


def verdict_cell(chapter: Chapter) -> Iterator[Fault]:
    """One cell, under Verdict, prints the claims and is compared by nbval."""
    compared = chapter.tagged("nbval-check-output")
    if len(compared) != 1:
        yield None, f"one code cell must be tagged `nbval-check-output`; {len(compared)} are"
    for cell in compared:
        if cell.section != "Verdict":
            yield cell.number, f"the verdict cell must stand under `## Verdict`, not under {cell.section!r}"
        if not cell.calls("verdict"):
            yield cell.number, "the verdict cell must call `ledger.verdict()`"
        if "verdict" not in cell.tags:
            yield cell.number, "the verdict cell must also carry the tag `verdict`"


def verdict_output(chapter: Chapter) -> Iterator[Fault]:
    """What the verdict cell prints is committed, in a cell that counts as run, for nbval to compare with."""
    for cell in chapter.tagged("nbval-check-output"):
        if cell.stdout.strip() and cell.data.get("execution_count") != 1:
            yield cell.number, "set the execution_count of the verdict cell to 1, or nbval does not compare"
        if not cell.stdout.strip():
            yield cell.number, "the verdict cell stores no output: run the chapter and commit what it prints"
        if any(output.get("name") != "stdout" for output in cell.outputs):
            yield cell.number, "the verdict cell may store nothing but what it prints (stdout)"


def emit_cell(chapter: Chapter) -> Iterator[Fault]:
    """Right after the verdict the numbers behind it are shown; the page has no use for the code that does it."""
    emitting = [cell for cell in chapter.code if cell.calls("emit")]
    if len(emitting) != 1:
        yield None, f"one cell must call `ledger.emit()`; {len(emitting)} do"
    for cell in emitting:
        before = [other for other in chapter.code if other.number < cell.number]
        if before and not before[-1].calls("verdict"):
            yield cell.number, "`ledger.emit()` must be the first code after the verdict cell"
        if cell.tags != ["remove-input"]:
            yield cell.number, f"the emit cell carries the tag `remove-input` and no other; it has {cell.tags}"


def nothing_after_emit(chapter: Chapter) -> Iterator[Fault]:
    """Nothing runs after the claims have gone out."""
    emitting = [cell.number for cell in chapter.code if cell.calls("emit")]
    for cell in chapter.code:
        if emitting and cell.number > emitting[0] and not cell.calls("emit"):
            yield cell.number, "code runs after the claims were emitted: move it before the verdict"


def empty_words(chapter: Chapter) -> Iterator[Fault]:
    """The prose does not tell the reader that a thing is easy."""
    for cell in chapter.prose:
        for match in EMPTY_WORDS.finditer(cell.source):
            yield cell.number, f"say it without {match[0]!r}"


def _opening(chapter: Chapter, label: str) -> str:
    """Return the paragraph of the header that starts with the bold ``label``, up to the next bold one."""
    match = re.search(rf"\*\*{label}[.:]?\*\*(.*?)(?=\n\s*\n|\n\W*\*\*|\Z)", chapter.cells[0].source, re.S)
    return match[0] if match else ""


def _tags_at(chapter: Chapter, index: int) -> list[str]:
    cell = chapter.cells[index] if index < len(chapter.cells) else None
    return cell.tags if cell and cell.is_code else []


def _asks_to_predict(cell: Cell) -> bool:
    return re.search(r"\{admonition\}\s*Predict first", cell.source) is not None


def _exercises(text: str) -> list[str]:
    """Return the labels of the exercises in ``text``, an empty one where there is none."""
    blocks = [block for block in directives(text) if block.name in ("exercise", "exercise-start")]
    return [block.options.get("label", "") for block in blocks]


RULES = (
    title_first,
    one_question,
    opening_lines,
    time_at_both_profiles,
    imports_second,
    section_order,
    theorem_with_citation,
    predict_first,
    failure_is_run,
    three_exercises,
    solutions_run,
    verdict_cell,
    verdict_output,
    emit_cell,
    nothing_after_emit,
    empty_words,
)
