"""For each cell on the recovery of a teacher the arguments with which tests run it on several devices."""

PAIR = {"weights": [1, -1], "d": 4}
RECOVERY = PAIR | {"width": 4, "steps": 5}
RECOVERY_CELLS = {
    "stages_cell": [{"weights": [1, -1], "d": 4, "least_angle": 40.0, "width": 4, "steps": 3}],
    "plane_cell": [{"angles": [0, 70], "weights": [1, -1], "width": 4, "steps": 3, "frames": 2}],
    "recovery_needs_cell": [RECOVERY | {"level": 0.1, "noise": 0.1, "n_max": 60}],
    "sampled_recovery_cell": [RECOVERY | {"ratio": 4.0, "noise": 0.1}],
    "trained_recovery_cell": [PAIR | {"width": 4, "ratio": 4.0, "noise": 0.1}],
    "lazy_recovery_cell": [RECOVERY | {"scale": 0.5}],
    "constant_decays_cell": [RECOVERY | {"decays": [0.01, 0.0]}],
    "close_pair_cell": [
        {"angle": 30.0, "signs": signs, "d": 3, "width": 4, "steps": 5} for signs in ("same", "opposite")
    ],
    "width_recovery_cell": [RECOVERY],
    "starts_cell": [RECOVERY, {"weights": [1, -1], "angles": [0, 70], "d": 2, "width": 4, "steps": 3}],
    "nonnegative_cell": [RECOVERY | {"weights": [1, 1]}],
}
