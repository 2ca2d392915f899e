"""What a built site refers to: every link, script, style sheet and picture must be part of it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

WITH_SOURCE = ("script", "img", "source", "iframe", "embed", "video", "audio")
LOADED = {*((tag, "src") for tag in WITH_SOURCE), ("object", "data"), ("link", "href")}  # without a click
FOLLOWED = {("a", "href"), ("area", "href"), ("form", "action")}
OUTSIDE = ("http", "https")
NOT_FETCHED = ("data", "mailto", "javascript")


@dataclass
class Page(HTMLParser):
    """The anchors of one page and what it refers to, as pairs of target and "is loaded"."""

    anchors: set[str] = field(default_factory=set)
    targets: list[tuple[str, bool]] = field(default_factory=list)
    redirects: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect anchors and targets of an element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if (tag, name) in LOADED | FOLLOWED and value:
                self.targets.append((value, (tag, name) in LOADED))
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.redirects = True
            self.targets.append((given.get("content", "").partition("url=")[2], False))


def pages_of(site: Path) -> list[Path]:
    """Return the pages of a site, without the templates that the theme leaves among its static files."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts)


def read(path: Path) -> Page:
    """Parse one page."""
    page = Page()
    page.feed(path.read_text("utf-8"))
    page.close()
    return page


def faults(site: Path) -> list[str]:
    """Return what is wrong with the links of a site, one sentence each."""
    pages = {path.relative_to(site).as_posix(): read(path) for path in pages_of(site)}
    found = [
        f"{name}: {fault}"
        for name, page in pages.items()
        for target, loaded in page.targets
        if (fault := fault_of(target, loaded, name, pages, site))
    ]
    return sorted(set(found))


def fault_of(target: str, loaded: bool, name: str, pages: dict[str, Page], site: Path) -> str | None:
    """Return what is wrong with one target of the page ``name``, or None."""
    parts = urlsplit(target)
    if parts.scheme in OUTSIDE or parts.netloc:
        return f"loads {target} from outside" if loaded else None
    if parts.scheme in NOT_FETCHED:
        return None
    if parts.scheme:
        return f"refers to {target}, which no browser opens offline"
    path = unquote(urlsplit(urljoin(f"/{name}", parts.path or f"/{name}")).path).lstrip("/")
    path = f"{path}index.html" if path == "" or path.endswith("/") else path
    if not (site / path).is_file():
        return f"refers to {target}, which is not there"
    fragment = unquote(parts.fragment)
    if fragment and path in pages and fragment not in pages[path].anchors:
        return f"refers to {target}, but {path} has no #{fragment}"
    return None
