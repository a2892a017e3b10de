import math

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims import double_descent as page
from ibcore.claims.double_descent import (
    double_descent_linear,
    double_descent_rff,
    judge_features,
    judge_weak_features,
    measured_risk,
    network_curves,
    risk_during_descent,
)
from ibcore.oracles.double_descent import weak_features_risk, weak_features_spread
from ibcore.problems.weak_features import equally_weak

SETTING = Setting.create("quick", seed=7, device="cpu")


@pytest.fixture(scope="module")
def linear():
    return double_descent_linear.verify(SETTING)


@pytest.fixture(scope="module")
def digits():
    return double_descent_rff.verify(SETTING, networks=4)


@pytest.mark.parametrize("name", ["linear", "digits"])
def test_claim_stands(name, request):
    assert request.getfixturevalue(name).stands


def test_bar_of_the_risk_is_six_standard_errors():
    """Three percent of the risk against the spread of one draw over sqrt(1000), where |p - n| >= 10."""
    for p in (1, 10, 20, 30, 50, 55, 60, 100):
        used = (p / 100, 1 - p / 100, 0.25)
        bar = 0.03 * weak_features_risk(40, p, *used)
        assert bar >= 6 * weak_features_spread(40, p, *used) / 1000**0.5


def fallen(checks):
    return [check.name for check in checks if not check.holds]


def exact_risks():
    """Risks that are the formula everywhere, of six repetitions, with a peak where it is infinite."""
    counts = (20, 30, 38, 40, 42, 50, 100)
    risk = torch.tensor(
        [weak_features_risk(40, p, p / 100, 1 - p / 100, 0.25) for p in counts]
    )
    names = ("equally weak", "strongest first")
    measured = {n: risk.clamp(max=100)[:, None].repeat(1, 6) for n in names}
    return counts, measured, dict.fromkeys(names, risk), torch.zeros(8)


def test_one_draw_without_a_risk_makes_the_claim_fall():
    counts, measured, predicted, gaps = exact_risks()
    assert fallen(judge_weak_features(counts, measured, predicted, gaps)) == []
    for k in range(len(counts)):
        risks = measured["equally weak"].clone()
        risks[k, 2] = math.nan
        broken = measured | {"equally weak": risks}
        assert fallen(judge_weak_features(counts, broken, predicted, gaps)), counts[k]
    gaps[3] = math.nan
    assert len(fallen(judge_weak_features(counts, measured, predicted, gaps))) == 1


def test_a_peak_elsewhere_and_another_risk_are_told():
    counts, measured, predicted, gaps = exact_risks()
    moved = {name: risk.roll(1, 0) for name, risk in measured.items()}
    assert len(fallen(judge_weak_features(counts, moved, predicted, gaps))) == 3
    off = {
        name: risk * (1 + 0.031 * (1000 / 6) ** 0.5) for name, risk in measured.items()
    }
    assert len(fallen(judge_weak_features(counts, off, predicted, gaps))) == 2


def made_up_curves():
    """Errors and norms of eight splits at seven counts, the threshold in the middle."""
    clean = torch.tensor([0.3, 0.1, 0.2, 0.8, 0.2, 0.1, 0.05])
    noisy = torch.tensor([0.3, 0.12, 0.3, 0.9, 0.4, 0.3, 0.2])
    error = torch.stack([clean, clean, noisy])[:, None].repeat(1, 8, 1)
    return {"error": error, "norm": error.clone()}


def test_curves_are_judged_split_by_split():
    assert fallen(judge_features(made_up_curves(), 3)) == []
    for corruption in range(3):
        for cell in range(7):
            curves = made_up_curves()
            curves["error"][corruption, 5, cell] = math.nan
            assert fallen(judge_features(curves, 3)), (corruption, cell)
    curves = made_up_curves()
    curves["norm"][1, 5, 1] = 1.0
    assert len(fallen(judge_features(curves, 3))) == 1
    curves = made_up_curves()
    curves["error"][2, 5, 6] = 0.1
    assert len(fallen(judge_features(curves, 3))) == 1


def test_a_network_without_a_loss_leaves_no_peak():
    test = torch.tensor([0.5, 1.7, 0.6])[:, None].repeat(1, 8)
    assert page._network_peak(test).holds
    for width in range(3):
        broken = test.clone()
        broken[width, 3] = math.nan
        assert not page._network_peak(broken).holds


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
