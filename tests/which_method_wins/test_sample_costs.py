"""The map of methods: worked examples against exponents known by hand, in coordinates of any kind."""

import itertools
import math

import pytest
import torch
from chapter_cells import chapter_names, read_chapter
from claim_calls import claim_names

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.feature_learning.one_step_theory import linear_correlation, population_correlation
from beyond_kernel.figure_style import LEARNER_STYLE
from beyond_kernel.foundations.learning.learners import label_of
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import (
    fit_oracle,
    fit_random_feature_kernel,
    fit_random_features,
    fit_tangent_kernel,
)
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.frozen_representation import fit_transferred
from beyond_kernel.which_method_wins.sample_costs import (
    Cost,
    cost_columns,
    predicted_orders,
    sample_costs,
)

LEARNERS = [
    "random-feature kernel", "tangent kernel", "one step", "transferred", "online SGD", "smoothed SGD", "reused batch",
    "spectral method", "network SGD",
]  # fmt: skip

# Worked by hand from the exponents of each target: "-" where the condition fails.
WORKED = {
    "z1": ["d", "d", "d", "1", "d", "d", "d", "d", "d"],
    "h2(z1)": ["d^2", "d^2", "d^2", "1", "d", "d", "d", "d", "d"],
    "h3(z1)": ["d^3", "d^3", "-", "1", "d^2", "d^(3/2)", "d", "d", "d^2"],
    "h4(z2)": ["d^4", "d^4", "-", "1", "d^3", "d^2", "d", "d", "d^3"],
    "h5(z1) + h7(z1)": ["d^7", "d^7", "-", "1", "d^4", "d^(5/2)", "d", "d", "d^4"],
    "z1 + h3(z1)": ["d^3", "d^3", "-", "1", "d", "d", "d", "d", "d"],
    "((z1 + z2)/sqrt(2))^3 - 3*(z1 + z2)/sqrt(2)": ["d^3", "d^3", "-", "1", "d^2", "d^(3/2)", "d", "d", "d^2"],
    "z1 + z1*z2 + z1*z2*z3": ["d^3", "d^3", "-", "1", "-", "-", "-", "-", "d"],
    "z1 + z1*z2*z3": ["d^3", "d^3", "-", "1", "-", "-", "-", "-", "d"],
    "z1*z2*z3": ["d^3", "d^3", "-", "1", "-", "-", "-", "-", "d^2"],
    "z1*z2": ["d^2", "d^2", "d^2", "1", "-", "-", "-", "-", "d"],
    "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2": ["d^4", "d^4", "d^2", "1", "-", "-", "-", "-", "d"],
}

# Table 1 of Abbe, Boix-Adsera and Misiakiewicz (2023): its three targets, and the rows "Kernels" and "SGD on NN".
TABLE_1 = {
    "z1*z2": ("d^2", "d"),
    "z1*z2*z3*z4": ("d^4", "d^3"),
    "z1*z2*z3*z4*z5*z6": ("d^6", "d^5"),
    "z1 + z1*z2": ("d^2", "d"),
    "z1*z2 + z1*z2*z3*z4": ("d^4", "d"),
    "z1*z2*z3 + z1*z2*z3*z4*z5*z6": ("d^6", "d^2"),
    "z1 + z1*z2 + z1*z2*z3 + z1*z2*z3*z4": ("d^4", "d"),
}


@pytest.mark.parametrize("text", TABLE_1)
def test_kernels_and_networks_pay_what_the_paper_s_table_says(text):
    orders = {cost.learner: cost.order for cost in sample_costs(text)}
    assert (orders["tangent kernel"], orders["network SGD"]) == TABLE_1[text]
    assert orders["random-feature kernel"] == orders["tangent kernel"]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_one_direction_costs_a_network_as_many_steps_as_online_sgd(k):
    """Both papers give d^max(k - 1, 1) for He_k: Ben Arous et al. (2021), and Conjecture 2 of Abbe et al. (2023)."""
    orders = {cost.learner: cost.exponent for cost in sample_costs(f"He{k}(z1)")}
    assert orders["network SGD"] == orders["online SGD"] == max(k - 1, 1)


@pytest.mark.parametrize("text", WORKED)
def test_worked_examples(text):
    costs = sample_costs(parse_target(text, 9))
    assert [cost.learner for cost in costs] == LEARNERS
    assert [cost.order for cost in costs] == WORKED[text]


def test_a_cost_holds_exactly_where_it_has_an_exponent():
    for text in WORKED:
        for cost in sample_costs(parse_target(text, 9)):
            assert cost.holds == math.isfinite(cost.exponent)
            assert cost.source and cost.reason and cost.condition


def test_every_method_is_run_in_a_chapter_and_its_order_measured_by_a_claim_that_stands_there():
    """The chapters' notebooks decide, read as text: their calls of ``ledger.claim``."""
    named = {cost.chapter: set() for text in WORKED for cost in sample_costs(text)}
    claims = {cost.claim for text in WORKED for cost in sample_costs(text)}
    for claim in claims:
        named.setdefault(next(name for name in chapter_names() if name.endswith(f"/{claim.split('/')[0]}")), set()).add(
            claim
        )
    for chapter, wanted in named.items():
        made = {f"{chapter.split('/')[-1]}/{name}" for name in claim_names(read_chapter(chapter))}
        assert wanted <= made, f"{chapter} does not make the claims {sorted(wanted - made)}"


@pytest.mark.parametrize(("k", "claim"), [(1, "slope_k1"), (2, "slope_k2"), (3, "slope_k3"), (5, "slope_k3")])
def test_online_sgd_points_at_the_slope_of_its_exponent(k, claim):
    rows = {cost.learner: cost for cost in sample_costs(f"He{k}(z1)")}
    assert rows["online SGD"].claim == f"information_exponent/{claim}"
    assert rows["online SGD"].chapter == "feature_learning/information_exponent"


def test_reasons_name_the_numbers_that_decide():
    rows = {cost.learner: cost for cost in sample_costs(parse_target("h2(z1) + h3(z2)", 6))}
    assert "rank of H = 1 of 2" in rows["one step"].reason
    assert rows["online SGD"].reason == "rank 2"
    even = {cost.learner: cost for cost in sample_costs(parse_target("h4(z1)", 6))}
    assert "generative exponent 2" in even["spectral method"].reason
    assert "information exponent 4" in even["online SGD"].reason
    square = {cost.learner: cost for cost in sample_costs(parse_target("h2(z1)", 6))}
    assert "log d" in square["online SGD"].reason


def test_a_network_pays_by_the_leap_in_the_worst_coordinates():
    """The turned cubic staircase has leap 1 as written; across its first direction it is of degree three."""
    text = "z1 + z2 + ((z1 - z2)/sqrt(2))^3 - 3*(z1 - z2)/sqrt(2)"
    row = sample_costs(text)[-1]
    assert parse_target(text, 4).leap() == 1 and row.order == "d^2"
    assert "isotropic leap 3, 1 in the coordinates of the text" in row.reason


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("h4(z1)", "H = 0, and degree 4 shows all directions from about d^4"),
        (
            "h4(z1) + z2",
            "rank of H = 0 of 1 (2 with the linear part, which is fitted apart); H = 0, and degree 4 shows",
        ),
        ("h2(z1) + h2(z1)*h2(z2)", "degree 4 shows the rest, but with too small a share"),
        ("h2(z1) + h4(z2)", "degree 4 shows the rest, but with too small a share"),
        ("h2(z1) + h6(z2)", "degree 6 shows the rest, but with too small a share"),
        ("h3(z1)", "the step cannot see odd ones from three on"),
        ("h2(z1) + h5(z2)", "even degrees do not show the rest"),
        ("h4(z1) + h3(z2)", "even degrees do not show the rest"),
    ],
)
def test_what_one_step_makes_of_the_directions_that_the_hessian_kills(text, phrase):
    """ReLU has c_3 = c_5 = 0 but c_4 and c_6 not zero; worked by hand which parts hold which directions."""
    row = sample_costs(text)[2]
    assert row.learner == "one step" and not row.holds and row.order == "-"
    assert phrase in row.reason


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("z1", "d"),
        ("z1 + 2*z2", "d"),
        ("z2 + h2(z1)", "d^2"),
        ("z1*z2 + z3", "d^2"),
        ("z1 + z1*z2", "d^2"),
        ("z1^3", "-"),
    ],
)
def test_a_linear_part_is_fitted_apart(text, order):
    """By hand: line 1 of Algorithm 1 takes it away. H must see the rest; of z1^3 the rest is He_3."""
    assert sample_costs(text)[2].order == order


def test_a_direction_that_only_a_higher_even_degree_shows_has_too_small_a_share_of_a_neuron():
    """What the words rest on: the energy along u_2 in the population falls like d^-2, faster than a random neuron's."""
    shares = []
    for d in (10, 20, 40):
        target = parse_target("h2(z1) + h4(z2)", d, seed=0)
        W = torch.randn(4000, d, generator=generator_for(0, "neurons", d), dtype=torch.float64)
        W = W / W.norm(dim=1, keepdim=True)
        gradients = population_correlation(target, W) - linear_correlation(target, W)
        energies = (gradients @ target.frame).square() / gradients.square().sum(1, keepdim=True)
        shares.append(float(energies[:, 1].median()))
    assert shares[0] < 0.25 / 10 and shares[1] < 0.1 / 20 and shares[2] < 0.05 / 40
    assert all(big / small > 3 for big, small in itertools.pairwise(shares))  # d^-2 makes it 4, a random neuron 2


def test_a_text_stands_for_its_target():
    for text in WORKED:
        assert sample_costs(text) == sample_costs(parse_target(text, 9))
    for wrong in ("relu", 3, lambda z: z, None):
        with pytest.raises(BadParameter, match="must be a polynomial target or its text"):
            sample_costs(wrong)


def test_the_order_in_d_does_not_depend_on_d_or_on_the_directions():
    text = "h3(z1) + h4(z1)"
    orders = [[cost.order for cost in sample_costs(parse_target(text, d, seed))] for d, seed in ((3, 0), (50, 7))]
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("text", "k"),
    [("h3(z2)", 1), ("(z1 + z2)^4", 2), ("(z1 - z2 + z3)^4 - 2*(z1 - z2 + z3)", 1), ("1 + (3*z1 + 4*z2)/5", 1)],
)
def test_the_spectral_method_pays_by_the_generative_exponent_in_whatever_coordinates(text, k):
    """2 where the function of the one direction is even, 1 otherwise."""
    rows = {cost.learner: cost for cost in sample_costs(parse_target(text, 7, seed=2))}
    assert rows["spectral method"].holds and f"generative exponent {k}," in rows["spectral method"].reason


def test_theory_and_measurement_join_by_name():
    """Every row bears a label that figures can draw, and the learners that the package has bear a row's label."""
    rows = [cost.learner for cost in sample_costs(parse_target("h2(z1)", 4))]
    assert rows == LEARNERS and set(rows) <= set(LEARNER_STYLE)
    learners = (fit_random_feature_kernel, fit_tangent_kernel, fit_one_step, fit_transferred)
    assert [label_of(learner) for learner in learners] == rows[:4]
    assert {label_of(fit_random_features), label_of(fit_oracle)} <= set(LEARNER_STYLE)


def test_predicted_orders_are_powers_and_share_lines():
    costs = sample_costs(parse_target("h3(z1)", 9))
    orders = predicted_orders(costs, [10, 100])
    assert orders.dims == ("methods", "d") and orders.d.values.tolist() == [10, 100]
    by_power = {float(row[1] / row[0]): str(row.methods.values) for row in orders}
    assert sorted(round(math.log10(power), 9) for power in by_power) == [0, 1, 1.5, 2, 3]
    shared = by_power[1000.0]
    assert shared == "random-feature kernel, tangent kernel: d^3"
    assert by_power[100.0] == "online SGD, network SGD: d^2"
    assert not any("one step" in name for name in by_power.values())  # its condition fails
    assert float(orders.sel(methods=shared, d=10)) == pytest.approx(1000)


def test_the_columns_say_why():
    columns = cost_columns(sample_costs("z1*z2*z3"))
    assert [len(column) for column in columns.values()] == [len(LEARNERS)] * 6
    assert columns["method"] == LEARNERS and columns["cost"][:3] == ["d^3", "d^3", "-"]
    assert columns["condition"][2].startswith("not met: H sees every direction")
    assert columns["numbers of this target"][2].startswith("rank of H = 0 of 3")
    places = columns["chapter: claim"]
    assert places[0] == "degree by degree: slope tends to degree"
    assert places[2] == "one step; sample complexity: one step slope"


def test_orders_in_words():
    def words(exponent, holds=True):
        return Cost("a", exponent, "b", holds, "c", "d", "e/f", "f/g").order

    assert [words(x) for x in (0.0, 1.0, 1.5, 2.0, 2.5)] == ["1", "d", "d^(3/2)", "d^2", "d^(5/2)"]
    assert words(math.nan, False) == "-"


def test_a_constant_and_bad_dimensions_are_refused():
    with pytest.raises(BadParameter, match="constant"):
        sample_costs(parse_target("z1", 4).part(2))
    with pytest.raises(BadParameter, match="dims"):
        predicted_orders(sample_costs(parse_target("z1", 4)), [])
