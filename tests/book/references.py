"""What chapters and pages cite and point to, and what there is to be cited and pointed to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from chapter_cells import ROOT, chapter_names, read_chapter
from claim_calls import claim_names
from myst_text import Label, directives, labels, roles, without_code

REQUIRED = {
    "article": ("author", "title", "journal", "year"),
    "book": ("author", "title", "publisher", "year"),
    "inproceedings": ("author", "title", "booktitle", "year"),
    "incollection": ("author", "title", "booktitle", "publisher", "year"),
    "misc": ("author", "title", "year"),
    "phdthesis": ("author", "title", "school", "year"),
    "techreport": ("author", "title", "institution", "year"),
}
ENTRY = re.compile(r"^@(\w+)\s*\{\s*([^,\s]+)\s*,(.*?)(?=^@|\Z)", re.M | re.S)
FIELD = re.compile(r"(?:^|,)\s*(\w+)\s*=\s*(?:[{\"]\s*[^\s}\"]|\w)", re.M)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^()\s]+)\)")
SUFFIXES = ("", ".md", ".ipynb")


@dataclass(frozen=True)
class Entry:
    """One work of the bibliography and the names of the fields that are filled."""

    kind: str
    key: str
    fields: frozenset[str]


def read_sources() -> dict[str, str]:
    """Return the text of every chapter and page, by its path without suffix."""
    texts = {f"book/{path.stem}": path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")}
    for name in chapter_names():
        chapter = read_chapter(name)
        captions = [cell.mystnb.get("figure", {}).get("caption", "") for cell in chapter.code]
        texts[f"chapters/{name}"] = "\n\n".join([chapter.text, *captions])
    return texts


def labels_from_code() -> list[Label]:
    """Return the labels that no text defines: figures of code cells, and rows of the ledger of claims."""
    found = []
    for name in chapter_names():
        chapter = read_chapter(name)
        found += [Label("any", cell.mystnb.get("figure", {}).get("name", "")) for cell in chapter.code]
        found += [Label("any", f"claim-{name.split('/')[-1]}-{claim}") for claim in claim_names(chapter)]
    return [label for label in found if label.name]


def read_bibliography(text: str) -> list[Entry]:
    """Return the entries of a BibTeX file."""
    return [
        Entry(kind.lower(), key, frozenset(map(str.lower, FIELD.findall(body))))
        for kind, key, body in ENTRY.findall(text)
    ]


def bibliography_faults(entries: list[Entry]) -> list[str]:
    """Return each entry that is there twice, of an unknown kind, or lacks a field."""
    keys = [entry.key for entry in entries]
    faults = [f"{key} stands in the bibliography twice" for key in sorted(set(keys)) if keys.count(key) > 1]
    for entry in entries:
        needed = REQUIRED.get(entry.kind)
        if needed is None:
            faults.append(f"{entry.key}: unknown kind @{entry.kind}, not one of {', '.join(REQUIRED)}")
        lacking = [field for field in needed or () if field not in entry.fields]
        faults += [f"{entry.key} lacks the field {field}" for field in lacking]
    return faults


def citation_faults(sources: Mapping[str, str], entries: list[Entry]) -> list[str]:
    """Return each citation without an entry and each entry that is never cited."""
    known, cited, faults = {entry.key for entry in entries}, set(), []
    for page, text in sources.items():
        for role in [role for role in roles(text) if role.name.split(":")[0] in ("cite", "nocite")]:
            keys = {key.strip() for key in role.target.split(",")}
            faults += [f"{page} cites {key}, not in book/references.bib" for key in sorted(keys - known)]
            cited |= keys
    return faults + [f"{key} is in book/references.bib but nothing cites it" for key in sorted(known - cited)]


def duplicate_labels(sources: Mapping[str, str], extra: list[Label]) -> list[str]:
    """Return the labels that are defined more than once."""
    names = [label.name.lower() for text in sources.values() for label in labels(text)]
    names += [label.name.lower() for label in extra]
    return sorted({name for name in names if names.count(name) > 1})


def terms(sources: Mapping[str, str]) -> set[str]:
    """Return the terms that the glossary explains, in lower case."""
    blocks = [block for text in sources.values() for block in directives(text) if block.name == "glossary"]
    lines = [line for block in blocks for line in block.body.splitlines()]
    return {line.split(" : ")[0].strip().lower() for line in lines if line.strip() and line[0] not in " \t:"}


def reference_faults(sources: Mapping[str, str], extra: list[Label]) -> list[str]:
    """Return each role and each link that points to nothing."""
    every = [label for text in sources.values() for label in labels(text)] + extra
    by_kind: dict[str, set[str]] = {"any": set(), "prf": set(), "math": set()}
    for label in every:
        by_kind[label.kind].add(label.name.lower())
    anything = set.union(*by_kind.values())
    targets = {
        "ref": by_kind["any"] | by_kind["prf"],
        "numref": by_kind["any"],
        "prf:ref": by_kind["prf"],
        "eq": by_kind["math"],
        "term": terms(sources),
    }
    faults = []
    for page, text in sources.items():
        for role in roles(text):
            if role.name in targets and role.target.lower() not in targets[role.name]:
                faults.append(f"{page}: {{{role.name}}}`{role.target}` points to nothing")
            if role.name == "doc" and not _is_page(page, role.target, sources):
                faults.append(f"{page}: {{doc}}`{role.target}` is no page")
        for link in LINK.findall(without_code(text)):
            if not _link_leads_somewhere(page, link, anything):
                faults.append(f"{page}: the link ({link}) leads nowhere")
    return faults


def _is_page(page: str, target: str, sources: Mapping[str, str]) -> bool:
    return _resolved(page, target) in sources


def _link_leads_somewhere(page: str, link: str, anchors: set[str]) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, fragment = link.partition("#")
    if not path:
        return fragment.lower() in anchors
    return any((ROOT / (_resolved(page, path) + suffix)).is_file() for suffix in SUFFIXES)


def _resolved(page: str, target: str) -> str:
    """Return the path from the repository's root that ``target`` means on ``page``."""
    start = PurePosixPath("" if target.startswith("/") else page).parent
    parts: list[str] = []
    for part in (start / target.lstrip("/")).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)
