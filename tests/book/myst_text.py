"""MyST markdown, read as far as the checks need it: headings, directives, roles, labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^\s*(?P<fence>`{3,}|~{3,}|:{3,})\s*(?:\{(?P<name>[\w:.-]+)\})?\s*(?P<argument>.*)$")
OPTION = re.compile(r"^\s*:(?P<key>[\w-]+):\s*(?P<value>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:.-]+)\}`(?P<content>[^`]+)`")
TARGET = re.compile(r"<([^<>]+)>\s*$")
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.S)
VERBATIM = ("code", "code-block", "code-cell", "math", "mermaid", "raw", "literalinclude")


@dataclass(frozen=True)
class Directive:
    """One ``{name}`` block: what follows its name, its options, and the text inside without the options."""

    name: str
    argument: str
    options: dict[str, str]
    body: str


@dataclass(frozen=True)
class Role:
    """One ``{name}`target` `` in running text."""

    name: str
    target: str


@dataclass(frozen=True)
class Label:
    """A name that a cross-reference may point to; ``kind`` is ``prf``, ``math`` or ``any``."""

    kind: str
    name: str


def headings(text: str) -> list[tuple[int, str]]:
    """Return the headings outside code and directives as pairs of level and title."""
    found = (re.match(r"^(#+)\s+(.*?)\s*$", line) for line in _outside_fences(text))
    return [(len(match[1]), match[2]) for match in found if match]


def sections(text: str) -> dict[str, str]:
    """Return the text under each second-level heading, by title."""
    parts: dict[str, str] = {}
    title, closing = "", None
    for line in text.splitlines():
        closing = _fence_after(line, closing)
        if closing is None and line.startswith("## "):
            title = line.removeprefix("## ").strip()
        parts[title] = parts.get(title, "") + line + "\n"
    return parts


def directives(text: str) -> list[Directive]:
    """Return every directive, outer ones before those nested in them."""
    return list(_directives(text.splitlines()))


def roles(text: str) -> list[Role]:
    """Return every role in running text and in directives, not in code."""
    found = ROLE.finditer(without_code(text))
    return [Role(m["name"], _target(m["content"])) for m in found]


def labels(text: str) -> list[Label]:
    """Return every label that the text defines."""
    plain = without_code(text)
    found = [Label("any", name) for name in re.findall(r"^\s*\(([^()\s]+)\)=\s*$", plain, re.M)]
    found += [Label("any", name) for name in re.findall(r"^\s*\.\. _([^:\s]+):\s*$", text, re.M)]
    found += [Label("math", name) for name in re.findall(r"\$\$[ \t]*\(([\w:.-]+)\)", text)]
    for directive in directives(text):
        kind = directive.name.partition(":")[0]
        kind = kind if kind in ("prf", "math") else "any"
        given = (directive.options.get(key) for key in ("label", "name"))
        found += [Label(kind, name) for name in given if name]
    return found


def without_code(text: str) -> str:
    """Return the text without code blocks and double-backtick spans, where a role is only an example."""
    kept, closing, verbatim = [], None, False
    for line in text.splitlines():
        before, closing = closing, _fence_after(line, closing)
        if before is None and closing is not None:
            match = FENCE.match(line)
            verbatim = match["name"] in VERBATIM or match["name"] is None
        if not (verbatim and (before or closing)):
            kept.append(re.sub(r"``[^`].*?``", "", line))
    return "\n".join(kept)


def doubled_backslashes(text: str) -> list[str]:
    """Return each place with a doubled backslash, which breaks a command or shows as one; a line break is none.

    A line break stands in an environment such as ``aligned`` or ``cases`` and is not followed by the name of a command.
    """
    inside = [match.span() for match in ENVIRONMENT.finditer(text)]
    found = []
    for match in re.finditer(r"(?<!\\)\\{2,}", text):
        breaks = any(start < match.start() < end for start, end in inside) and len(match[0]) in (2, 3)
        if not breaks or len(match[0]) == 2 and re.match(r"[a-zA-Z]{2}", text[match.end() :]):
            found.append(text[match.start() : match.end() + 20].partition("\n")[0])
    return found


def _target(content: str) -> str:
    match = TARGET.search(content)
    return (match[1] if match else content).strip()


def _fence_after(line: str, closing: str | None) -> str | None:
    """Return the fence that is open after ``line`` when ``closing`` was open before it."""
    match = FENCE.match(line)
    if closing is None:
        return match["fence"] if match else None
    mark = line.strip()
    return None if mark and set(mark) == {closing[0]} and len(mark) >= len(closing) else closing


def _outside_fences(text: str) -> Iterator[str]:
    closing = None
    for line in text.splitlines():
        before, closing = closing, _fence_after(line, closing)
        if before is None and closing is None:
            yield line


def _directives(lines: list[str]) -> Iterator[Directive]:
    start, closing = 0, None
    for index, line in enumerate(lines):
        before, closing = closing, _fence_after(line, closing)
        if before is None and closing is not None:
            start = index
        elif before is not None and closing is None:
            yield from _directive(FENCE.match(lines[start]), lines[start + 1 : index])


def _directive(opening: re.Match, inner: list[str]) -> Iterator[Directive]:
    if opening["name"] is None:
        return
    options: dict[str, str] = {}
    while inner and (match := OPTION.match(inner[0])):
        options[match["key"]] = match["value"].strip()
        inner = inner[1:]
    yield Directive(opening["name"], opening["argument"].strip(), options, "\n".join(inner))
    if opening["name"] not in VERBATIM:
        yield from _directives(inner)
