"""Make the book: run the chapters, collect their claims, build the site.

python book/build.py                                    the book at the full profile
python book/build.py --profile quick                    the same in a few minutes
python book/build.py --only feature_learning/one_step   one chapter and its claims, no site
python book/build.py --only one_step --set d=26 --set 'target=He2(z1)'    ... on your own problem
"""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ledger
import nbformat
from plan import PROFILES, BuildError, Run, assignments, chapters, find_chapter, plan_all
from runs import Failure, clock, record, run_all
from site_source import assemble, build_html

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Do what the command line asks for and return the exit status."""
    options = read_options(arguments)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernels on its way out
    try:
        with alone(root):
            return build(options, root)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the chapters that were finished are kept.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--profile", choices=PROFILES, help="size of the runs (full; with --only quick)")
    parser.add_argument("--only", action="append", metavar="CHAPTER", help="run this and stop (repeatable)")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="for --only (repeatable)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the run of --only goes")
    parser.add_argument("--jobs", type=int, default=2, help="chapters to run at a time (2)")
    parser.add_argument("--no-site", action="store_true", help="run the chapters, build no pages")
    options = parser.parse_args(arguments)
    if (options.set or options.output) and len(options.only or []) != 1:
        parser.error("--set and --output go with exactly one --only")
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs} is not accepted: it must be at least 1")
    options.profile = options.profile or ("quick" if options.only else "full")
    return options


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep two builds from writing into the same folder at once.

    Raises:
        BuildError: if another one is at work.
    """
    (root / "_build").mkdir(exist_ok=True)
    with (root / "_build" / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError("Another build is at work in _build/: wait until it is done.") from None
        yield


def build(options: argparse.Namespace, root: Path) -> int:
    """Run what has to be run, then show the claims of the chapters asked for or build the site."""
    begun = time.monotonic()
    names = chapters(root)
    wanted = [find_chapter(given, names) for given in options.only] if options.only else names
    settings = assignments(options.set or [])
    runs = plan_all(root, options.profile, list(dict.fromkeys(wanted)), settings, options.output)
    if not options.only:
        shutil.rmtree(root / "_build" / "html", ignore_errors=True)  # whatever happens next, no stale page is left
    due = [run for run in runs if record(run) is None]
    unchanged = len(runs) - len(due)
    print(f"Chapters at the {options.profile} profile: {len(due)} to run, {unchanged} unchanged.", flush=True)
    failures = run_all(due, options.jobs, root)
    if failures:
        print(report(failures, len(runs), root), file=sys.stderr)
        return 1
    print(f"{len(due)} of {len(runs)} chapters run in {clock(time.monotonic() - begun)}.", flush=True)
    if options.only:
        show(runs, root)
    elif not options.no_site:
        make_site(runs, root)
    return 0


def report(failures: Sequence[Failure], total: int, root: Path) -> str:
    """Return all failures as text: chapter, cell, last line of the error, and the files to look at."""
    entries = [
        f"  {failure.chapter}\n    {failure.reason}\n"
        f"    notebook so far: {near(failure.notebook)}\n    log: {near(failure.log)}"
        for failure in failures
    ]
    return "\n".join([f"{len(failures)} of {total} chapters failed:", *entries])


def show(runs: Sequence[Run], root: Path) -> None:
    """Print the claims of executed chapters and where the copies lie."""
    claims = {run.chapter: ledger.claims_of(nbformat.read(run.output, as_version=4)) for run in runs}
    ledger.check(claims, root)
    for run in runs:
        print(f"{run.chapter}: {ledger.count(claims[run.chapter])}.")
        print("\n".join(ledger.lines(claims[run.chapter])))
        print(f"The executed chapter is {near(run.output)}")


def make_site(runs: Sequence[Run], root: Path) -> None:
    """Build the pages from executed chapters, and say what the ledger holds and where the index page lies."""
    begun = time.monotonic()
    claims = [claim for found in assemble(root, runs).values() for claim in found]
    print("Building the pages ...", flush=True)
    index = build_html(root)
    print(f"Pages built in {clock(time.monotonic() - begun)}. {len(claims)} claims: {ledger.count(claims)}.")
    print(f"Open {near(index)} in a browser: {index.resolve().as_uri()}")


def near(path: Path) -> str:
    """Return a path as short as it can be typed from here."""
    return min(os.path.relpath(path), str(path), key=len)


if __name__ == "__main__":
    sys.exit(main())
