"""Look inside a store: python -m beyond_kernel.sweeps list|show|export|prune STORE."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.sweeps.results import Outcome, unpack
from beyond_kernel.sweeps.store import Store, StoreError, Version


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 2 if it cannot be done.

    Args:
        arguments: of the command line.
    """
    chosen = _parser().parse_args(arguments)
    try:
        if not chosen.store.is_file():
            raise StoreError(f"{chosen.store}: there is no such file.")
        with Store(chosen.store) as store:
            {"list": _list, "show": _show, "export": _export, "prune": _prune}[chosen.command](store, chosen)
    except (StoreError, BadParameter) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output has seen enough
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m beyond_kernel.sweeps", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("list", "the functions in a store, each version of their code with its number, cells and CPU seconds"),
        ("show", "the cells of one version: parameters, status, results"),
        ("export", "the cells of one version as netCDF (.nc) or CSV (.csv)"),
        ("prune", "remove versions of a function's code but the one used last, or the version of a number"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("store", type=Path, help="path of the store")
        if name != "list":
            command.add_argument(
                "--version", type=int, help="number of a version, see `list`; default: the one used last"
            )
        if name == "show":
            command.add_argument("--failed", action="store_true", help="failed cells only, with their tracebacks")
        if name == "export":
            command.add_argument("out", type=Path, help="a file that ends in .nc or .csv; it must not exist")
    return parser


def _list(store: Store, _: argparse.Namespace) -> None:
    counts = store.counts()
    for version in store.versions():
        told = [f"{cells} {status}" for row, status, cells, _ in counts if row == version] or ["no cells"]
        spent = sum(cpu for row, _, _, cpu in counts if row == version)
        print(f"{version.id}  {version.name}  {version.code[:8]}  {', '.join(told)}  {spent:.3g} CPU seconds")
        print(f"   {version.versions}")


def _show(store: Store, chosen: argparse.Namespace) -> None:
    for parameters, outcome, ended in store.cells(_version(store, chosen.version)):
        if chosen.failed and outcome.status == "done":
            continue
        when = datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%d %H:%M:%S")
        print(f"{when}  {outcome.status}  {outcome.cpu:.3g} s  {parameters}  {_told(outcome)}")
        if chosen.failed:
            print("    " + outcome.error.replace("\n", "\n    "))


def _told(outcome: Outcome) -> str:
    if outcome.result is None:
        return outcome.error.strip().splitlines()[-1] if outcome.error else ""
    found = unpack(outcome.result)
    return ", ".join(f"{name}={np.array2string(value, threshold=6, precision=6)}" for name, value in found.items())


def _export(store: Store, chosen: argparse.Namespace) -> None:
    if chosen.out.suffix not in (".nc", ".csv"):
        raise BadParameter(f"{chosen.out} ends neither in .nc nor in .csv.")
    if chosen.out.exists():
        raise BadParameter(f"{chosen.out} exists: it is left as it is.")
    if not chosen.out.parent.is_dir():
        raise BadParameter(f"{chosen.out} cannot be made: there is no folder {chosen.out.parent}.")
    version = _version(store, chosen.version)
    table = _table(store, version)
    if chosen.out.suffix == ".nc":
        _write_netcdf(table, chosen.out)
    else:
        table.to_dataframe().to_csv(chosen.out)
    print(f"{table.sizes['cell']} cells of {version.name} are in {chosen.out}.")


def _write_netcdf(table: xarray.Dataset, out: Path) -> None:
    """Write a table in the classic format, which scipy writes and every reader knows; it has no large whole numbers."""
    largest = np.iinfo(np.int32).max
    wide = [name for name, values in table.items() if values.dtype.kind in "iu" and (abs(values) > largest).any()]
    try:
        table.assign({name: table[name].astype(float) for name in wide}).to_netcdf(out, engine="scipy")
    except (TypeError, ValueError) as error:
        out.unlink(missing_ok=True)
        raise BadParameter(f"the cells cannot be written as netCDF ({error}): export them to a .csv file.") from error


def _table(store: Store, version: Version) -> xarray.Dataset:
    """Return the cells of a version as a table: parameters, status, CPU seconds and results along one dimension."""
    rows = [(json.loads(parameters), outcome) for parameters, outcome, _ in store.cells(version)]
    rows.sort(key=lambda row: [(isinstance(v, str), v) if isinstance(v, str | float | int) else (True, json.dumps(v))
                               for v in row[0].values()])  # fmt: skip
    if not rows:
        raise BadParameter(f"{store.path} holds no cell of version {version.id}.")
    names = sorted({name for parameters, _ in rows for name in parameters})
    columns = {name: ("cell", _column([parameters.get(name, "") for parameters, _ in rows])) for name in names}
    columns["status"] = ("cell", np.array([outcome.status for _, outcome in rows]))
    columns["cpu_seconds"] = ("cell", np.array([outcome.cpu for _, outcome in rows]))
    found = [unpack(outcome.result) if outcome.result else {} for _, outcome in rows]
    for name, first in {name: value for results in reversed(found) for name, value in results.items()}.items():
        inner = [f"{name}_{axis}" for axis in range(first.ndim)]
        empty = np.full(first.shape, "" if first.dtype.kind == "U" else np.nan)
        values = [results.get(name, empty) for results in found]
        key = name if name not in columns else f"result_{name}"
        columns[key] = (("cell", *inner), np.stack(values))
    return xarray.Dataset(columns, attrs={"function": version.name, "code": version.code, "versions": version.versions})


def _column(values: list) -> np.ndarray:
    simple = {type(value) for value in values} <= {int, float} or {type(value) for value in values} == {str}
    return np.array(values if simple else [v if isinstance(v, str) else json.dumps(v) for v in values])


def _prune(store: Store, chosen: argparse.Namespace) -> None:
    versions = store.versions()
    newest = {version.name: version for version in versions}
    gone = [v for v in versions if v != newest[v.name]] if chosen.version is None else [_version(store, chosen.version)]
    for version in gone:
        print(f"{version.id}  {version.name}  {version.code[:8]}: {store.remove(version)} cells removed")
    if gone:
        store.compact()
    else:
        print("Nothing to remove: every function is there at one version of its code.")


def _version(store: Store, number: int | None) -> Version:
    versions = store.versions()
    if not versions:
        raise BadParameter(f"{store.path} is empty.")
    if number is None:
        return versions[-1]
    found = [version for version in versions if version.id == number]
    if not found:
        known = ", ".join(str(version.id) for version in versions)
        raise BadParameter(f"{store.path} has no version {number}; it has {known}.")
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
