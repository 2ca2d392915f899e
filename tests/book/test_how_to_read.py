"""The scripts on the page How to read run in a process of their own and give what the page says."""

import os
import re
import subprocess
import sys

import pytest
import torch
from chapter_cells import ROOT
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.foundations.targets.tokens import TargetError

PAGE = (ROOT / "book/how_to_read.md").read_text("utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(script: str, folder) -> str:
    """Run a script in a folder and return what it prints; a warning is an error."""
    (folder / "script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
    environment.pop("BEYOND_KERNEL_STORE", None)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder in which the first script was run, and what it printed."""
    folder = tmp_path_factory.mktemp("script")
    return folder, run(SCRIPTS[0], folder)


def test_the_package_in_a_script(made):
    facts, risk = made[1].strip().splitlines()
    assert facts == "2 3 3"
    assert 0.002 < float(re.search(r"[\d.]+", risk)[0]) < 0.03  # the page says about 0.01


def test_arrays_of_one_s_own(tmp_path):
    value, error = map(float, re.findall(r"[\d.]+", run(SCRIPTS[1], tmp_path))[:2])
    assert 0 < error < value < 1  # below E (x1 x2)^2: something is learnt


def test_a_learner_of_one_s_own_stands_in_the_risk_figure(tmp_path):
    """No module of the package names it; it has a style of its own beside the others."""
    run(SCRIPTS[2].replace("[100, 400, 1600]", "[50, 100]").replace("range(3)", "range(2)"), tmp_path)
    assert (tmp_path / "risk.png").stat().st_size > 10_000
    (function,) = re.findall(r"def nearest_neighbour.*?\n\n", SCRIPTS[2], re.DOTALL)
    assert function.count("\n") <= 4


def test_every_script_of_the_page_is_run():
    assert len(SCRIPTS) == 3


@pytest.mark.parametrize("name", ["single_index", "relu_teacher", "BallIndicator", "task_from_arrays", "draw_problem"])
def test_what_the_page_names_exists(name):
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert name in PAGE and re.search(rf"^(def|class) {name}\b", sources, re.MULTILINE)


def test_saved_neurons_come_back_as_the_page_says(made, monkeypatch):
    """The page's own line reads what its script has written, in another process."""
    line = re.search(r"`(TwoLayerNetwork\.from_state_dict\(.*?\))`", PAGE)[1]
    monkeypatch.chdir(made[0])
    assert eval(line, {"torch": torch, "TwoLayerNetwork": TwoLayerNetwork}).W.shape == (400, 20)


@pytest.mark.parametrize("text", ["He2(z1", "He2(z1*z2)", "relu(z1)", "z9", "2 z1", "z1/z2", "sqrt(z1)", "z1 - z1"])
def test_the_page_quotes_the_refusals_of_targets(text):
    with pytest.raises(TargetError) as caught:
        parse_target(text, 5)
    (answer,) = re.findall(rf"^\| `{re.escape(text)}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert str(caught.value).endswith(answer.replace("\\", ""))


@pytest.mark.parametrize("file", ["README.md", "book/how_to_read.md", "Makefile"])
def test_where_the_size_is_promised_the_larger_download_is_told_and_how_to_avoid_it(file):
    text = " ".join((ROOT / file).read_text("utf-8").split())
    assert "1.5 GB with a CPU build" in text and "several GB" in text and "PIP_EXTRA_INDEX_URL" in text


def test_pip_takes_a_build_of_the_pinned_version_from_another_index():
    """PEP 440: the pin admits local versions, and a local version is the higher one, so pip prefers it."""
    (pin,) = re.findall(r"^torch(==.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    plain = Version(pin.removeprefix("=="))
    for build in ("cpu", "cu126"):
        assert Version(f"{plain}+{build}") in SpecifierSet(pin) and Version(f"{plain}+{build}") > plain
