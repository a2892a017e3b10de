import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ibcore.claims import Setting
from ibcore.claims.double_descent import (
    EXPLORER_COUNTS,
    EXPLORER_NOISES,
    double_descent_linear,
    double_descent_rff,
    draw_wave,
    measured_risk,
    network_curves,
    risk_during_descent,
    wave_fits,
)
from ibcore.oracles.double_descent import weak_features_risk, weak_features_spread
from ibcore.problems.weak_features import equally_weak

SETTING = Setting.create("quick", seed=7, device="cpu")


@pytest.fixture(scope="module")
def linear():
    return double_descent_linear.verify(SETTING)


@pytest.fixture(scope="module")
def digits():
    return double_descent_rff.verify(
        SETTING, splits=2, ratios=(0.2, 0.3, 1, 4, 8), networks=4
    )


@pytest.mark.parametrize("name", ["linear", "digits"])
def test_claim_stands(name, request):
    assert request.getfixturevalue(name).stands


def test_bar_of_the_risk_is_six_standard_errors():
    """Three percent of the risk against the spread of one draw over sqrt(1000), where |p - n| >= 10."""
    for p in (1, 10, 20, 30, 50, 55, 60, 100):
        used = (p / 100, 1 - p / 100, 0.25)
        bar = 0.03 * weak_features_risk(40, p, *used)
        assert bar >= 6 * weak_features_spread(40, p, *used) / 1000**0.5


def test_control_risks_what_the_unseen_part_of_the_start_adds(linear):
    """|w_0|^2 (1 - n/p) on top of the formula, for a start w_0 of norm 2 in a random direction."""
    assert linear.data["stray"] == pytest.approx(1.019 + 4 * 0.6, rel=0.15)


def test_measured_risk_agrees_with_a_loop_over_pseudoinverses():
    problem = equally_weak(12, noise=0.5)
    found = measured_risk(
        {"weak": problem}, 5, (3, 9), 4, torch.Generator().manual_seed(3)
    )["weak"]
    inputs = torch.randn(
        4, 5, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    for row, p in enumerate((3, 9)):
        for k in range(4):
            M = torch.linalg.pinv(inputs[k, :, :p])
            bias = problem.beta[:p] - M @ inputs[k, :, :p] @ problem.beta[:p]
            risk = bias @ bias + (0.25 + 1 - p / 12) * (1 + M.square().sum())
            assert float(found[row, k]) == pytest.approx(float(risk), rel=1e-9)


def test_risk_during_descent_starts_at_the_label_variance_and_ends_at_the_formula():
    path = risk_during_descent(SETTING, (20, 100), (0, 10**6), repetitions=500)
    assert path["risk"][0] == pytest.approx([1.25, 1.25])
    assert path["risk"][1] == pytest.approx(path["limit"], rel=0.03)


def test_features_interpolate_from_the_threshold_on_and_tend_to_the_kernel(digits):
    data = digits.data
    over = data["counts"] >= data["samples"]
    assert data["fit"][..., over].max() < 1e-6
    assert data["fit"][..., ~over].min() > 0.05
    assert np.abs(data["error"][..., -1].mean(1) - data["kernel"].mean(1)).max() < 0.03


def test_clean_and_noisy_labels_belong_to_the_same_digits(digits):
    """More redrawn labels never help on average: the curves lie above each other."""
    error = digits.data["error"].mean(1)
    assert (np.diff(error[:, digits.data["counts"] != 400], axis=0) > 0).all()


def test_without_label_noise_the_networks_have_a_lower_peak():
    noisy, clean = (
        network_curves(SETTING, (12,), 3, 800, corruption=share)["test"].mean()
        for share in (0.2, 0.0)
    )
    assert clean < 0.7 * noisy


def test_claims_depend_on_the_seed_and_on_nothing_else():
    sizes = {"repetitions": 5, "descents": 1, "counts": (20, 40, 100)}
    first, again, other = (
        double_descent_linear.verify(
            Setting.create("quick", seed=seed, device="cpu"), **sizes
        )
        for seed in (1, 1, 2)
    )
    assert np.array_equal(
        first.data["measured"]["equally weak"], again.data["measured"]["equally weak"]
    )
    assert not np.array_equal(
        first.data["measured"]["equally weak"], other.data["measured"]["equally weak"]
    )


def test_explorer_draws_a_frame_and_says_what_it_shows():
    fig, sentence = draw_wave(12, 0.3)
    assert isinstance(fig, Figure)
    assert sentence.startswith("12 features, noise 0.3: just enough")


def test_explorer_tells_the_story():
    typical = wave_fits(max(EXPLORER_NOISES))["typical"]
    peak = EXPLORER_COUNTS.index(12)
    assert int(typical.argmax()) == peak
    assert typical[peak] > 10 * max(typical[:peak].min(), typical[-1])


def test_explored_fits_pass_through_the_points():
    fits = wave_fits(0.1)
    for row in fits["values"][EXPLORER_COUNTS.index(1000) :]:
        assert np.interp(fits["x"], fits["grid"], row) == pytest.approx(
            fits["y"], abs=0.02
        )
