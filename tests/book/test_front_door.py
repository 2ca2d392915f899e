"""What a newcomer meets first: dependencies named in one place, `make` that cleans up after itself, a full contents."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import plan
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!]+)")


def named() -> list[Requirement]:
    """Return every dependency that pyproject.toml names."""
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(n for names in EXTRAS.values() for n in names)]]


def pins() -> dict[str, Version]:
    """Return the versions in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    matches = {line: PIN.fullmatch(line) for line in lines}
    assert all(matches.values()), f"not of the form name==version: {[li for li, m in matches.items() if not m]}"
    return {canonicalize_name(match[1]): Version(match[2]) for match in matches.values()}


def needed(requirement: Requirement, seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Return the names of a dependency and of all that it needs here, as the installed packages tell."""
    name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for text in requires(name) or []:
        below = Requirement(text)
        if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            found |= needed(below, seen)
    return found


def test_every_dependency_has_a_lower_bound_that_its_pin_keeps():
    pinned = pins()
    for requirement in named():
        assert any(part.operator == ">=" for part in requirement.specifier), f"{requirement} has no lower bound"
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned"
        assert version in requirement.specifier, f"{requirement} does not accept {version}"


@pytest.mark.skipif(sys.platform != "linux", reason="constraints.txt holds the set for Linux")
def test_everything_that_is_installed_with_the_book_is_pinned():
    seen: set[tuple[str, frozenset[str]]] = set()
    try:
        names = {name for text in (*PROJECT["dependencies"], *EXTRAS["book"], *EXTRAS["test"])
                 for name in needed(Requirement(text), seen)}  # fmt: skip
    except PackageNotFoundError as error:
        pytest.fail(f"not installed, though something needs it: {error}")
    assert sorted(names - set(pins())) == []


def test_the_exact_set_holds_what_cannot_float():
    pinned = pins()
    assert pinned["torch"] == Version("2.13.0") and pinned["torch"].local is None
    assert pinned["jupyter-book"].major == 1
    assert canonicalize_name(PROJECT["name"]) not in pinned


def test_conda_names_nothing_but_the_two_files():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    python, pip, from_pip = environment["dependencies"]
    assert (python, pip) == (f"python{PROJECT['requires-python']}", "pip")
    assert from_pip == {"pip": ["-c constraints.txt", "-e .[book,test]"]}


def test_nothing_else_installs_packages():
    installs = re.compile(r"(pip|conda|mamba|uv) +(install|add)\b")
    files = [path for folder in ("src", "chapters", "book") for path in (ROOT / folder).rglob("*")]
    texts = {path.name: path.read_text("utf-8") for path in files if path.suffix in {".py", ".md", ".ipynb"}}
    found = [name for name, text in texts.items() if installs.search(text)]
    assert found == []


def test_the_contents_list_every_chapter_and_every_page():
    pages = plan.pages(ROOT)
    on_disk = [path for pattern in ("book/*.md", "chapters/**/*.ipynb") for path in ROOT.glob(pattern)]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in on_disk if ".ipynb_" not in str(path)}
    assert sorted(pages) == sorted(names)
    assert len(pages) == len(set(pages))


def test_profiles_name_chapters_of_the_book_only():
    profiles = yaml.safe_load((ROOT / "book/profiles.yml").read_text("utf-8"))
    assert set(profiles["full"] or {}) <= set(plan.chapters(ROOT))
    assert set(profiles["timeout_minutes"]) == set(plan.PROFILES)


@pytest.fixture
def door(tmp_path):
    """Return a folder with the Makefile, and a stand-in for Python whose virtual environment cannot install."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text("utf-8"))
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "constraints.txt").write_text("")
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -m ] && [ "$2" = venv ] || exec ' + sys.executable + ' "$@"\n'
        'mkdir -p "$3/bin" && printf "#!/bin/sh\\necho \\$*; exit 3\\n" > "$3/bin/python" && chmod +x "$3/bin/python"\n'
    )
    python.chmod(0o755)
    return tmp_path


def make(door: Path, *arguments: str) -> subprocess.CompletedProcess:
    plain = {"PATH": os.environ["PATH"]}  # the tests themselves may run under make, with settings of its own
    return subprocess.run(["make", *arguments], cwd=door, capture_output=True, text=True, env=plain)


def test_a_failed_installation_leaves_no_trace_of_success(door):
    result = make(door, "book", "PYTHON=./python")
    assert result.returncode != 0
    assert "--constraint constraints.txt --editable .[book,test]" in result.stdout
    assert (door / ".venv/bin/python").exists() and not (door / ".venv/.installed").exists()


def test_an_old_python_is_refused_with_a_sentence(door):
    (door / "old").write_text("#!/bin/sh\nexec " + sys.executable + ' -c "import sys; sys.version_info = (3, 9); $2"\n')
    (door / "old").chmod(0o755)
    result = make(door, "test", "PYTHON=./old")
    assert result.returncode != 0 and "Python 3.11 or newer is needed" in result.stderr
    assert not (door / ".venv").exists()


def test_a_changed_dependency_is_installed_and_an_unchanged_one_is_not(door):
    (door / ".venv").mkdir()
    (door / ".venv/.installed").write_text("")
    assert "pip install" not in make(door, "--dry-run", "book").stdout
    (door / "constraints.txt").touch()
    assert "pip install" in make(door, "--dry-run", "book", "--assume-new=constraints.txt").stdout


def test_settings_reach_the_build_as_they_were_typed(door):
    (door / ".venv/bin").mkdir(parents=True)
    (door / ".venv/bin/python").write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    (door / ".venv/bin/python").chmod(0o755)
    (door / ".venv/.installed").write_text("")
    setting = 'd=26 target="He2(z1) + z2*z3"'
    words = make(door, "chapter", "CHAPTER=feature_learning/one_step", f"SET={setting}").stdout.splitlines()
    assert words[-4:] == ["<--only>", "<feature_learning/one_step>", "<--set>", f"<{setting}>"]


def test_the_name_of_a_new_chapter_reaches_the_script(door):
    (door / ".venv/bin").mkdir(parents=True)
    (door / ".venv/bin/python").symlink_to("/bin/echo")
    (door / ".venv/.installed").write_text("")
    assert make(door, "new-chapter", "NAME=transfer/trial").stdout == "book/new_chapter.py transfer/trial\n"


def test_recipes_are_short():
    recipes = re.split(r"\n(?=\S)", (ROOT / "Makefile").read_text("utf-8"))
    assert max(recipe.count("\n\t") for recipe in recipes) <= 3
