"""For each rule of chapters, ways to break it and no other rule: small changes of one good chapter."""

from good_chapter import (
    CHECK,
    CLAIM,
    DRAWS,
    EMIT,
    FAILURE,
    FIGURE,
    IMPORTS,
    LAST,
    TITLE,
    TWO_SIZES,
    VERDICT,
    fold,
    stream,
    unfold,
)
from notebook_changes import all_of, drop, insert_code, insert_text, move, put, replace, take

SOLUTION = """\
```{{solution-start}} {}
:class: dropdown
```

```{{solution-end}}
```"""
STRUCTURE = {
    "title_first": [
        replace(TITLE, "**Averages settle**"),
        insert_text("# Averages settle again", after=DRAWS),
    ],
    "one_question": [
        all_of(replace("How fast does the", "The"), replace("numbers settle? Like", "numbers settles like")),
        replace("Like $1", "Like what? $1"),
    ],
    "opening_lines": [
        replace("**Needs:** nothing.\n\n", ""),
        replace("**Time:**", "Time:"),
    ],
    "time_at_both_profiles": [replace("quick 2 s, full 5 s", "2 s")],
    "imports_second": [
        insert_text("First the tools.", after=TITLE),
        fold("Imports", cell=DRAWS, tags=("imports",)),
    ],
    "section_order": [
        move("## Exercises", cells=13, after="{numref}"),
        replace("### Further reading", "### References"),
        replace("## An average of Gaussian numbers", ""),
    ],
    "theorem_with_citation": [replace("{prf:theorem} {cite:t}`chebyshev1867`", "{prf:theorem} Chebyshev")],
    "predict_first": [
        move(FIGURE, after=DRAWS),
        replace("{admonition} Predict first", "{admonition} Look"),
    ],
    "failure_is_run": [drop(FAILURE)],
    "three_exercises": [
        drop("{exercise}\n:label: ex-average-3", cells=4),
        move("{exercise}\n:label: ex-average-1", cells=4, after=FAILURE),
    ],
    "solutions_run": [
        drop("draws[seed].square()"),
        replace("ex-average-1\n:class: dropdown", "ex-average-1"),
        replace("{solution-start} ex-average-1", "{solution-start} ex-averages"),
        insert_text("```{solution-end}\n```", after=DRAWS),
        insert_text(SOLUTION.format("ex-average-1"), after="## Exercises"),
        insert_text(SOLUTION.format("ex-average-4"), after="## Exercises"),
    ],
    "verdict_cell": [
        put("metadata.tags", ["verdict"], cell=VERDICT),
        put("metadata.tags", ["nbval-check-output"], cell=VERDICT),
        move("## Verdict", after=EMIT),
    ],
    "verdict_output": [
        all_of(put("outputs", [], cell=VERDICT), put("execution_count", None, cell=VERDICT)),
        # nbval would skip a cell without an execution count.
        put("execution_count", None, cell=VERDICT),
        put("outputs", [stream("stdout", "HOLDS\n"), stream("stderr", "slow\n")], cell=VERDICT),
    ],
    "emit_cell": [
        take("metadata.tags", cell=EMIT),
        put("metadata.tags", ["remove-cell"], cell=EMIT),
        replace(EMIT, "errors"),
        insert_code("errors.mean()", after=VERDICT),
    ],
    "nothing_after_emit": [insert_code("errors.mean()", after=LAST)],
    "empty_words": [
        replace("- Four times", "- Clearly, four times"),
        replace("four times the numbers, half the size", "it is easy to see"),
    ],
}

N_SEEDS = "n_seeds = 3  # seeds in the band, a whole number of at least 1"
DECLARATIONS = {
    "parameters_third": [
        insert_text("Now the parameters.", after=IMPORTS),
        put("metadata.tags", ["parameters"], cell=DRAWS),
    ],
    "parameters_are_literals": [
        replace("n = 400", "n = 4 * 100"),
        replace("n = 400", "n = 400\nassert n"),
    ],
    "parameters_are_explained": [
        replace("  # first seed, a whole number", ""),
        replace("# first seed, a whole number", "# seed"),
        replace("# numbers that are averaged, a whole number of at least 16", ""),
    ],
    "parameters_have_seeds": [
        all_of(
            replace(f"\n{N_SEEDS}", ""),
            replace("    n_seeds=whole_number,\n", ""),
            replace("seed + n_seeds", "seed + 3"),
        )
    ],
    "parameters_are_checked": [
        replace("    n_seeds=whole_number,\n", ""),
        replace("    n_seeds=whole_number,\n", "    n_seed=whole_number,\n"),
        replace("globals()", "locals()"),
        put("metadata.tags", ["hide-input"], cell=CHECK),
    ],
    "parameters_are_read": [replace("seed + n_seeds", "seed + 3")],
    "parameters_are_kept": [
        replace(
            "seeds = range(seed, seed + n_seeds)",
            "seeds = [seed + extra for extra in range(n_seeds)]\nseed = seeds[-1]",
        ),
        replace("draws = {s:", "for seed in seeds:\n    pass\ndraws = {s:"),
    ],
    "parameters_match_profile": [
        all_of(
            replace(N_SEEDS, f"{N_SEEDS}\nk = 4  # the ratio of sizes, a whole number"),
            replace("    n_seeds=whole_number,\n", "    n_seeds=whole_number,\n    k=whole_number,\n"),
            replace("n // 4", "n // k"),
        )
    ],
}

CAPTION = "The average settles already at the two smallest sizes."
ALT = "The average falls along a straight line from the smallest size of all to the next one."
FIGURES = {
    "figure_exists": [drop(FIGURE)],
    "figure_caption": [
        take("metadata.mystnb.figure.caption", cell=FIGURE),
        put("metadata.mystnb.figure.caption", "Averages.", cell=FIGURE),
    ],
    "figure_name": [
        all_of(
            put("metadata.mystnb.figure.name", "average", cell=FIGURE),
            replace("{numref}`fig-average`", "{numref}`average`"),
        ),
        all_of(
            put("metadata.mystnb.figure", {"caption": CAPTION, "name": "fig-average"}, cell=FAILURE),
            put("metadata.mystnb.image", {"alt": ALT}, cell=FAILURE),
        ),
    ],
    "figure_alt": [
        take("metadata.mystnb.image", cell=FIGURE),
        all_of(
            put("metadata.mystnb.figure.caption", ALT, cell=FIGURE),
            put("metadata.mystnb.image.alt", ALT, cell=FIGURE),
        ),
    ],
    "figure_referenced": [replace("{numref}`fig-average`", "The figure")],
    "solution_figure": [
        put("metadata.mystnb.figure", {"caption": CAPTION, "name": "fig-two-sizes"}, cell=TWO_SIZES),
        put("metadata.mystnb.image.alt", "Two sizes.", cell=TWO_SIZES),
    ],
}

ALIGNED = r"$$\begin{aligned} a &= b \\ &= c \\\alpha \end{aligned}$$"
FORM = {
    "plumbing_folded": [
        unfold(IMPORTS, tags=("imports",)),
        unfold(CHECK, tags=("check-parameters",)),
        unfold(CLAIM),
        fold("Import of tools", cell=IMPORTS, tags=("imports",)),
        fold("A check", cell=CHECK, tags=("check-parameters",)),
        fold("The average settles", cell=CLAIM),
        # A cell that states a claim besides other things is folded too.
        replace("sizes = [", "ledger.claim\nLedger('').claim('x')\nsizes = ["),
    ],
    "folded_labels": [
        put("metadata.tags", ["hide-input"], cell=DRAWS),
        put("metadata.tags", ["hide-cell"], cell=DRAWS),
        fold("Show code cell source", cell=FIGURE),
        fold("Hide code cell content", cell=FIGURE),
        fold("How", cell=FIGURE),
        put("metadata.mystnb.code_prompt_hide", "Fold it again", cell=FIGURE),
        take("metadata.mystnb.code_prompt_hide", cell=FIGURE),
        put("metadata.tags", [], cell=FIGURE),
    ],
    "code_counted": [
        replace("about 7 lines", "about 8 lines"),
        replace("45 folded", "44 folded"),
        replace("\n\n**Code** about 7 lines in view, 45 folded", ""),
        insert_code("errors.mean()", after=DRAWS),
        unfold(FAILURE),
    ],
    "results_shown": [
        insert_code("print(errors)", after=DRAWS),
        insert_code("[print(error) for error in errors]", after=DRAWS),
        replace("draws[seed][:4].mean()", "print(draws[seed][:4].mean())"),
        insert_code('table({"n": sizes}, caption="Sizes.")\nerrors.mean()', after=DRAWS),
        insert_code('shown = sentence(f"{n} numbers.")', after=DRAWS),
    ],
    "no_doubled_backslash": [
        replace("$1/\\sqrt{n}$", "$1/\\\\sqrt{n}$"),
        insert_text(ALIGNED.replace(r"\\ &", r"\\beta &"), after=DRAWS),
        insert_text(ALIGNED.replace("aligned", "aligned*", 1), after=DRAWS),
        insert_text("```{math}\na \\\\ b\n```", after=DRAWS),
        insert_code('sentence(r"About $\\\\sqrt n$.")', after=DRAWS),
        insert_code('sentence(f"About {n} and $\\\\\\\\sqrt n$.")', after=DRAWS),
        put("metadata.mystnb.figure.caption", "The average falls like $1/\\\\sqrt n$, as was said above.", cell=FIGURE),
        put(
            "metadata.mystnb.image.alt",
            "The average falls along a straight line, that is like $1/\\\\sqrt n$.",
            cell=FIGURE,
        ),
    ],
}

LONG_CELL = "\n".join(f"largest_{line} = errors.max()" for line in range(16))
FULL_CELL = "\n".join(["errors.max()"] * 15)
LONG_FUNCTION = """\
def largest(values):
    found = 0.0
    for value in values:
        if value > found:
            found = value
    return found"""
CODE = {
    "code_parses": [replace("[:4].mean()", "[:4.mean()")],
    "cell_length": [insert_code(LONG_CELL, after=DRAWS)],
    "line_length": [
        insert_code("errors.mean()  # " + "x" * 72, after=DRAWS),
        replace("draws[seed][:4].mean()", "draws[seed][:4].mean()  # " + "x" * 72),
    ],
    "chapter_length": [all_of(*[insert_code(FULL_CELL, after=DRAWS)] * 10)],
    "short_functions": [
        insert_code(LONG_FUNCTION, after=DRAWS),
        replace("seeds = range", "class Draws:\n\n\n\n\n    a = 1\nseeds = range"),
    ],
    "imports_in_one_place": [insert_code("import math", after=DRAWS)],
    "no_install": [
        insert_code("%pip install xarray", after=DRAWS),
        insert_code("!conda install xarray", after=DRAWS),
        insert_code("'pip install xarray'", after=DRAWS),
    ],
    "no_sys_path": [
        all_of(
            replace("import torch\n", "import sys\n\nimport torch\n"),
            insert_code('sys.path.append("..")', after=DRAWS),
        )
    ],
    "no_warning_filters": [
        all_of(
            replace("import torch\n", "import warnings\n\nimport torch\n"),
            insert_code('warnings.simplefilter("ignore")', after=DRAWS),
        )
    ],
    "no_machine_paths": [
        insert_code('torch.save(draws, "~/draws.pt")', after=DRAWS),
        insert_code("Path.home()", after=DRAWS),
        replace('"The average settles"', '"/data/averages"'),
        replace("Four times", "Look at /home/reader: four times"),
    ],
    "no_network": [
        insert_code('torch.hub.load_state_dict_from_url("https://example.org/draws.pt")', after=DRAWS),
        replace("import torch\n", "import urllib.request\n\nimport torch\n"),
        replace("import torch\n", "from http import client\n\nimport torch\n"),
    ],
    "measured_by_the_run": [
        replace("measured=errors.sel(n=n).median().item()", "measured=0.02"),
        replace("measured=errors.sel(n=n).median().item()", "measured=-0.02"),
        # A number that goes by a name is still typed in.
        all_of(
            replace("measured=errors.sel(n=n).median().item()", "measured=found"),
            replace("ledger = ", "found = 0.02\nledger = "),
        ),
    ],
    "outputs_stripped": [put("outputs", [stream("stdout", "done\n")], cell=DRAWS)],
    "no_execution_counts": [put("execution_count", 3, cell=DRAWS)],
    "plain_metadata": [
        put("metadata.kernelspec.name", "beyond-kernel"),
        put("metadata.language_info.version", "3.12.1"),
        put("metadata.toc", {}),
        put("metadata.collapsed", True, cell=DRAWS),
    ],
}

MUTATIONS = STRUCTURE | DECLARATIONS | FIGURES | FORM | CODE
