"""Running chapters: what makes a run due, what counts as done, and that nothing that fails is lost or left alive."""

import dataclasses
import time
from pathlib import Path

import build
import nbformat
import plan
import psutil
import pytest
import runs
from chapter_runs import LIGHT
from tiny_book import Repository


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(LIGHT))
    yield Repository(tmp_path)
    for process in psutil.Process().children(recursive=True):  # only a test that failed leaves one
        process.kill()


def test_a_chapter_is_run_once_and_again_only_after_a_change(book, capsys):
    book.chapter("part/idea", "print(d, seed)", "def later():\n    import package.module")
    assert book.build("--no-site") == 0
    assert "1 of 1 chapters run" in capsys.readouterr().out
    executed = nbformat.read(book.plan("part/idea").output, as_version=4)
    assert executed.cells[3].outputs[0].text == "4 1\n"  # the full profile, not the notebook's 3 and 0
    assert book.build("--no-site") == 0
    assert "0 of 1 chapters run" in capsys.readouterr().out
    book.write("src/package/module.py", "answer = 43\n")
    assert runs.record(book.plan("part/idea")) is None


def test_every_failure_is_reported_and_what_succeeded_is_kept(book, capsys):
    book.chapter("part/bad", "x = 1", "raise ValueError('first line\\nd = -3 is out of range')")
    book.chapter("part/good")
    book.chapter("part/worse", "1 / 0")
    book.write("_build/html/index.html", "the book as it was before")
    assert book.build() == 1
    errors = capsys.readouterr().err
    assert "2 of 3 chapters failed" in errors
    assert "code cell 3: ValueError: d = -3 is out of range" in errors
    assert "code cell 2: ZeroDivisionError: division by zero" in errors
    assert "worse.partial.ipynb" in errors
    kept = {name: runs.record(book.plan(f"part/{name}")) is not None for name in ("bad", "good", "worse")}
    assert kept == {"bad": False, "good": True, "worse": False}
    assert not (book.root / "_build/html").exists()  # nothing is published, nothing old stays published


SLEEPER = "import os, pathlib, time\npathlib.Path({path!r}).write_text(str(os.getpid()))\ntime.sleep(600)"


def kernel_of(path: Path) -> int:
    """Wait until the sleeping chapter has written its process id, and return that."""
    deadline = time.monotonic() + 60  # a kernel starts in about two seconds; a busy machine may need more
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, "the kernel did not start"
        time.sleep(0.05)
    return int(path.read_text())


def alive(process: int) -> bool:
    """Say whether a process runs; one that has ended and waits to be noticed does not."""
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def test_the_time_limit_ends_the_kernel_too(book):
    note = book.root / "pid"
    book.chapter("part/idea", SLEEPER.format(path=str(note)))
    job = runs.start(book.plan("part/idea"), runs.kernel_environment(book.root))
    kernel = kernel_of(note)
    assert alive(kernel) and not runs.ended(job)
    job.run = dataclasses.replace(job.run, timeout=0)
    assert runs.ended(job)
    assert "stopped at the time limit" in runs.conclude(job).reason
    assert not alive(kernel)
    assert runs.record(job.run) is None


def test_an_interrupt_leaves_no_kernel(book, monkeypatch, capsys):
    note = book.root / "pid"
    book.chapter("part/idea", SLEEPER.format(path=str(note)))
    sleep = time.sleep

    def interrupt(seconds):
        sleep(seconds)
        if seconds == 0.2 and note.exists() and note.read_text():
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert book.build() == 130
    assert not alive(kernel_of(note))
    assert "kept" in capsys.readouterr().err


@pytest.fixture
def no_kernel(monkeypatch):
    monkeypatch.setattr(runs, "start", lambda *_: pytest.fail("a kernel was started"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "sed=1"], "'sed' is no parameter of part/idea (did you mean 'seed'?). It takes: d, seed."),
        (["--set", "26"], "--set '26' is not understood: write name=value."),
        (["--set", "d=[1"], "The value '[1' of d is no YAML: put text into quotes."),
    ],
)
def test_what_cannot_be_set_is_said_before_any_kernel_starts(book, no_kernel, capsys, arguments, sentence):
    book.chapter("part/idea")
    assert book.build("--only", "idea", *arguments) == 1
    assert capsys.readouterr().err.strip() == sentence


def test_an_unknown_chapter_is_refused_with_the_nearest(book, no_kernel, capsys):
    book.chapter("part/idea")
    book.chapter("a_long_name/other_idea")
    for given, meant in {"part/idee": "part/idea", "other_ide": "other_idea"}.items():
        assert book.build("--only", given) == 1
        assert f"no chapter {given!r} (did you mean {meant!r}?)" in capsys.readouterr().err


def test_a_chapter_without_a_notebook_stops_the_book_but_not_another_chapter(book, capsys):
    book.chapter("part/idea")
    book.chapter("part/other")
    (book.root / "chapters/part/other.ipynb").unlink()
    assert book.build() == 1
    assert "_toc.yml names part/other, but chapters/part/other.ipynb is not there" in capsys.readouterr().err
    assert book.build("--only", "idea") == 0


@pytest.mark.parametrize("given", ["idea", "part/idea", "chapters/part/idea.ipynb", "./chapters/part/idea.ipynb"])
def test_a_chapter_may_be_named_by_idea_part_or_path(given):
    assert plan.find_chapter(given, ["part/other_idea", "part/idea"]) == "part/idea"


def test_a_run_of_ones_own_leaves_the_books_run_alone(book, capsys):
    book.chapter("part/idea", "print(d)")
    assert book.build("--only", "idea", "--set", "d=26") == 0
    assert "✔ holds  idea/it_runs: It runs." in capsys.readouterr().out
    (own,) = (book.root / "_build/own").glob("idea-*.ipynb")
    assert "26\n" in own.read_text() or "26\\n" in own.read_text()
    assert not (book.root / "_build/run/quick/part/idea.ipynb").exists()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["d=26"], {"d": 26}),
        (["d=26", "noise=1e-3"], {"d": 26, "noise": 1e-3}),
        (['d=26 target="He2(z1) + z2*z3"'], {"d": 26, "target": "He2(z1) + z2*z3"}),
        (["target=He2(z1)/sqrt(2) + z2*z3"], {"target": "He2(z1)/sqrt(2) + z2*z3"}),
        (["sizes=[1, 2.5]", "flag=true"], {"sizes": [1, 2.5], "flag": True}),
        (["target='1'"], {"target": "1"}),
    ],
)
def test_assignments_are_read_with_their_types(texts, expected):
    found = plan.assignments(texts)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


def test_profile_and_notebook_must_name_the_same_parameters(book, no_kernel, capsys):
    book.chapter("part/idea", d=4, sed=1)
    book.chapter("part/other", d=4)
    assert book.build() == 1
    errors = capsys.readouterr().err
    assert "full, part/idea: it lacks seed and has the unknown sed." in errors
    assert "full, part/other: it lacks seed." in errors


@pytest.mark.parametrize("source", ["d = 3\nn = d * d", "d = 3\nprint(d)", "d += 1", "d, n = 1, 2"])
def test_a_parameters_cell_holds_literals_only(source):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    with pytest.raises(plan.BuildError, match="name = literal"):
        plan.declared_parameters(nbformat.v4.new_notebook(cells=[cell]), "part/idea")


def test_two_builds_do_not_mix(book, no_kernel, capsys):
    book.chapter("part/idea")
    with build.alone(book.root):
        assert book.build() == 1
    assert "Another build is at work" in capsys.readouterr().err


def test_chapters_side_by_side_do_not_share_cores_and_one_alone_uses_them(book, monkeypatch):
    monkeypatch.delenv("BEYOND_KERNEL_WORKERS", raising=False)
    monkeypatch.setenv("BEYOND_KERNEL_STORE", "runs.sqlite")
    assert runs.kernel_environment(book.root, 2)["BEYOND_KERNEL_WORKERS"] == "0"
    alone = runs.kernel_environment(book.root, 1)
    assert "BEYOND_KERNEL_WORKERS" not in alone
    assert Path(alone["BEYOND_KERNEL_STORE"]).is_absolute()


def test_a_run_gets_one_thread_and_nobodys_settings(book, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("JUPYTER_PATH", "/somewhere")
    environment = runs.kernel_environment(book.root)
    assert {environment[name] for name in runs.ONE_THREAD} == {"1"}
    assert "JUPYTER_PATH" not in environment
    assert environment["MPLCONFIGDIR"].startswith(str(book.root))
