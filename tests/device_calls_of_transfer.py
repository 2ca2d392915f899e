"""For each cell of Part IV and of the last chapter the arguments with which tests run it on several devices."""

from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features

TRANSFER_CELLS: dict[str, list[dict]] = {}

_TASKS = {"family": "balanced", "d": 8, "r": 2, "n": 60, "width": 12}
TRANSFER_CELLS |= {
    "recovery_cell": [_TASKS | {"tasks": [1, 3], "noise": 0.1}],
    "one_task_cell": [{"kind": "switch", "d": 8, "n": 60, "width": 12}],
    "few_shot_cell": [_TASKS | {"tasks": [3], "shots": 20, "new_tasks": 2, "n_test": 50}],
}

_TURNED = {"target": "z1*z2", "d": 6, "sizes": [20, 30], "repeats": 2, "width": 20, "noise": 0.1, "n_test": 50}
_LOPSIDED = {"source": "h2(z1) + h2(z2)/2"}
TRANSFER_CELLS |= {
    "turned_cell": [
        _TURNED | _LOPSIDED | {"angles": [0, 90], "turned": turned, "source_ratio": 4.0} for turned in ("one", "all")
    ],
    "sourceless_cell": [
        _TURNED | {"learner": learner}
        for learner in ("random features", "one step", "Gaussian kernel", "recursive features")
    ],
    "source_cell": [_TURNED | _LOPSIDED | {"ratios": [1, 4.5]}],
}

_SPIKED = {"link": "h3(z1)", "strength": 1.0, "cosine": 0.6}
_GROUPS = {"d": 8, "groups": 2, "replicas": 3}
TRANSFER_CELLS |= {
    "start_cell": [
        _SPIKED | _GROUPS | {"link": link, "unlabelled": 3.0, "labels": 15.0, "steps": [0.01, 0.02], "points": 4}
        for link in ("h3(z1)", "h2(z1)")
    ],
    "savings_cell": [_SPIKED | _GROUPS | {"ratios": [0.0, 0.5, 3.0], "labels": 15.0, "step": 0.01, "noise": 0.1}],
    "waiting_cell": [_SPIKED | {"d": 8, "labels": [2.0, 9.0], "steps": [0.01, 0.02], "replicas": 3, "noise": 0.1}],
    "mean_start_cell": [_SPIKED | {"d": 8, "ratio": 3.0, "labels": 9.0, "step": 0.01, "replicas": 3, "noise": 0.1}],
    "component_cell": [{"d": 8, "ratio": 3.0, "strength": 1.0, "replicas": 3}],
    "price_cell": [_SPIKED | {"unlabelled": 5.0, "steps": [0.01, 0.5], "times": [0.0, 0.2]}],
    "spectral_start_cell": [_SPIKED | {"d": 8, "ratio": ratio, "noise": 0.1} for ratio in (1.0, 5.0)],
    "spiked_learner_cell": [
        _SPIKED | {"learner": fit_recursive_features, "d": 8, "ratio": 5.0, "noise": 0.1, "n_test": 50}
    ],
}

_FINETUNED = {"link": "h3(z1)", "d": 12, "neurons": 2, "size": 1.0, "noise": 0.1}
_STEPPED = {"steps": [2.0, 4.0], "level": 0.5, "budget_ratio": 12.0, "replicas": 2}
TRANSFER_CELLS |= {
    "rank_one_cell": [_FINETUNED | _STEPPED | given for given in ({}, {"gradient_ratio": 2.0, "angle": 20.0})],
    "all_rows_cell": [_FINETUNED | _STEPPED | {"start": start} for start in ("base", "scratch")],
    "adapter_cell": [
        _FINETUNED | {"ratios": [2.0, 5.0], "reading": reading}
        for reading in ("tangent, unit rows", "no tangent", "rescaled rows")
    ],
    "fitted_update_cell": [_FINETUNED | {"ratios": [3.0, 6.0]}],
    "no_base_cell": [_STEPPED | {"link": "h3(z1)", "d": 12, "noise": 0.1}],
    "rival_cell": [
        _FINETUNED | {"ratio": 4.0, "learner": learner, "part": part, "n_test": 50}
        for learner, part in (
            ("Gaussian kernel", "fitted residual"),
            ("recursive features", "residual"),
            ("linear around the base", "labels"),
        )
    ],
    "turned_base_cell": [{"link": "h3(z1)", "d": 12, "neurons": 2, "size": 1.0, "angle": 30.0}],
}

TRANSFER_CELLS |= {"known_link_cell": [{"target": "(h2(z1) + h3(z1))/sqrt(2)", "d": 24}]}

_HEADS = {"source": "h2(z1)", "d": 6, "sizes": [10, 20], "width": 20, "noise": 0.1, "n_test": 50}
TRANSFER_CELLS |= {
    "source_grid_cell": [_HEADS | {"target": "h3(z1)", "source_sizes": [1, 40]}],
    "head_needs_cell": [
        _HEADS | {"heads": ["z1*z2", "h3(z1)"], "layer": layer, "source_ratio": 2.0, "repeats": 2}
        for layer in ("transferred", "oracle")
    ],
    "carried_cell": [_HEADS | {"target": "z1*z2", "n": 60}],
}

_DIGITS = {"data": "digits", "tiles": 2}
TRANSFER_CELLS |= {
    "digit_learner_cell": [
        _DIGITS | {"learner": learner, "n": 40}
        for learner in (
            "linear model",
            "Gaussian kernel",
            "components, Gaussian kernel",
            "sum over found tiles",
            "chosen tile",
            "random features",
            "one step",
            "recursive features",
        )
    ],
    "digit_picture_cell": [_DIGITS | {"n": 30}],
    "second_task_cell": [_DIGITS | {"n_source": 30, "sizes": [10, 20]}],
    "row_curve_cell": [_DIGITS | {"rows": 60, "sizes": [20, 30]}],
}
