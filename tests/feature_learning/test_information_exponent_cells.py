"""The cells of plain online SGD: known laws, counts and limits."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent_cells import hitting_cell, law_cell


def test_times_of_a_linear_link_follow_the_equation_and_lie_in_their_groups():
    found = hitting_cell("he1", [200, 2000], 4, 9, 0.0, seed=0)
    assert found["medians"].shape == (2, 4) and (found["found"] == 1).all()
    assert (found["medians"].min(1) <= found["median"]).all() and (found["median"] <= found["medians"].max(1)).all()
    assert found["median"] / found["expected"] == pytest.approx([1, 1], abs=0.15)
    one = hitting_cell("he1", [200, 2000], 1, 36, 0.0, seed=0)
    assert np.array_equal(found["median"], one["median"]) and np.array_equal(one["medians"][:, 0], one["median"])


def test_the_median_is_that_of_the_single_searches():
    """In groups of one search each the medians are the searches themselves."""
    found = hitting_cell("he2", [50], 33, 1, 0.0, seed=0)
    assert found["median"][0] == np.median(found["medians"])


def test_patience_ends_a_search_and_the_slowest_half_leaves_no_median():
    found = hitting_cell("he3", [64], 1, 33, 0.0, patience=0.4, seed=0)
    longer = hitting_cell("he3", [64], 1, 33, 0.0, patience=5.0, seed=0)
    assert 0 < found["found"][0] < 0.5 < longer["found"][0]
    assert np.isnan(found["median"][0]) and longer["median"][0] < 5 * longer["expected"][0]


@pytest.mark.parametrize("loss", ["square", "correlation"])
@pytest.mark.parametrize(("link", "d", "steps"), [("he1", 3, 4), ("he2", 24, 200), ("h1(z1) + h3(z1)", 16, 40)])
def test_chain_and_simulation_have_one_law(link, d, steps, loss):
    found = law_cell(link, d, loss, steps, 600, 0.2, seed=0)
    assert found["p_value"] > 1e-3
    assert np.abs(found["chain"] - found["simulated"]).max() < 0.15
    assert (np.diff(found["chain"]) > 0).all()


def test_the_test_of_the_law_tells_another_number_of_steps(monkeypatch):
    """With the chain stopped at half of the steps the p-value is nothing: the test has power."""
    from beyond_kernel.feature_learning import information_exponent_cells as cells

    paths = cells.overlap_paths
    monkeypatch.setattr(
        cells, "overlap_paths", lambda f, r, s, d, at, g, **kw: paths(f, r, s, d, [at[0] // 2], g, **kw)
    )
    assert law_cell("he1", 32, "square", 40, 400, 0.0, seed=0)["p_value"] < 1e-6


def test_a_pace_that_stalls_and_wrong_input_end_in_one_sentence():
    with pytest.raises(BadParameter, match="smaller pace"):
        hitting_cell("he1", [100], 1, 4, 0.0, pace=4.0, seed=0)
    with pytest.raises(BadParameter, match="dims"):
        hitting_cell("he1", [2], 1, 4, 0.0, seed=0)
    with pytest.raises(BadParameter, match="loss"):
        law_cell("he1", 10, "cubic", 5, 10, 0.0, seed=0)
