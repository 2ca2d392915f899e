"""For each cell on symmetry the arguments with which tests run it on several devices."""

SYMMETRY_CELLS = {
    "correlation_cell": [{"d": 5, "group": "cyclic", "sizes": [1, 2], "activation": "relu", "neurons": 3}],
    "counting_cell": [{"d": 6, "group": "dihedral", "sizes": [1, 2]}],
    "remembering_cell": [{"d": 5, "group": "cyclic", "k": 2}],
    "orbit_training_cell": [
        {"sharing": name, "symmetry": name, "k": 2, "d": 6, "width": 8, "rates": [1.0, 2.0], "samples": 400, "runs": 2}
        for name in ("plain", "cyclic", "symmetric")
    ]
    + [
        {
            "sharing": "plain",
            "symmetry": "cyclic",
            "k": 2,
            "d": 6,
            "width": 8,
            "rates": [2.0],
            "samples": 160,
            "runs": 2,
        }
        | {"copies": True}
    ],
    "company_cell": [
        {"sharing": "cyclic", "company": [(0, 1), (0, 1, 2)], "d": 6, "width": 8, "rate": 1.0, "samples": 80}
    ],
    "permuted_training_cell": [{"k": 2, "d": 5, "width": 8, "rate": 1.0, "steps": 10}],
    "start_law_cell": [
        {
            "first": (0, 1),
            "second": (2, 3),
            "d": 6,
            "width": 8,
            "rate": 2.0,
            "samples": 400,
            "runs": 3,
            "favoured": 2,
            "strength": 3.0,
        }
    ],  # fmt: skip
}
