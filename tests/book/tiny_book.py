"""A book of tiny chapters in a folder of its own, for the tests of the build."""

from pathlib import Path

import build
import nbformat
import plan
import yaml

CLAIM = {
    "id": "{idea}/it_runs", "statement": "It runs.", "source": "measured here", "test": "test_it",
    "predicted": 1.0, "measured": 1.0, "spread": "", "tolerance": "at least 1", "why": "it is exact",
    "holds": True, "outside": "", "unmeasured": "",
}  # fmt: skip
EMIT = """from IPython.display import display
display({{'application/vnd.beyond-kernel.claims+json': [{claim!r}]}}, raw=True)"""


class Repository:
    """A book of tiny chapters in a folder of its own; their code never imports anything slow."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("src/package/module.py", "answer = 42\n")
        self.write("constraints.txt", "numpy==2.0\n")
        self.names: list[str] = []
        self.full: dict[str, dict] = {}

    def write(self, path: str, text: str) -> Path:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")
        return self.root / path

    def chapter(self, name: str, *sources: str, **full: object) -> None:
        part, idea = name.split("/")
        claim = {key: value.format(idea=idea) if key == "id" else value for key, value in CLAIM.items()}
        cells = [
            nbformat.v4.new_markdown_cell(f"# On {idea}", id="title"),
            nbformat.v4.new_code_cell("d = 3  # a size\nseed = 0  # any", id="p", metadata={"tags": ["parameters"]}),
            *[nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)],
            nbformat.v4.new_code_cell(EMIT.format(claim=claim), id="emit"),
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
        self.write(f"chapters/{name}.ipynb", nbformat.writes(notebook))
        self.write(f"tests/{part}/test_{idea}.py", "def test_it(): ...\n")
        self.names = list(dict.fromkeys([*self.names, name]))
        self.full[name] = full or {"d": 4, "seed": 1}
        toc = {"format": "jb-book", "root": "book/index", "parts": [{"chapters": [
            {"file": f"chapters/{name}"} for name in self.names]}]}  # fmt: skip
        self.write("_toc.yml", yaml.safe_dump(toc))
        profiles = {"timeout_minutes": {"quick": 2, "full": 2}, "full": self.full}
        self.write("book/profiles.yml", yaml.safe_dump(profiles))

    def plan(self, name: str, profile: str = "full", **settings: object) -> plan.Run:
        return plan.plan_run(self.root, profile, name, settings, None)

    def build(self, *arguments: str) -> int:
        return build.main(list(arguments), self.root)
