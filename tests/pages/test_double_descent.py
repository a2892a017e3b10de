import dataclasses
import math

import pytest
import torch

from ibcore import measured
from ibcore.claims import Setting
from ibcore.oracles.double_descent import (
    bias_errors,
    weak_features_parts,
    weak_features_risk,
    weak_features_spread,
)
from ibcore.pages.double_descent import claims as page
from ibcore.pages.double_descent.claims import double_descent_rff
from ibcore.pages.double_descent.claims.double_descent_linear import WeakRisks
from ibcore.pages.double_descent.claims.double_descent_rff import (
    _network_peak,
    judge_features,
)
from ibcore.pages.double_descent.runs import FeatureCurves, network_curves
from ibcore.pages.double_descent.weak import (
    SPECTRA,
    Risks,
    both_problems,
    measured_risks,
    predicted_risk,
    risk_during_descent,
    risk_from,
    spectra,
)
from ibcore.problems.weak_features import equally_weak
from tests.conformance import UnbrokenConformance, falls

SETTING = Setting.create("quick", seed=7, device="cpu")
CLAIMS = {
    claim.id: claim for claim in (page.double_descent_linear, page.benign_overfitting)
}
COUNTS = (20, 30, 38, 40, 42, 50, 100)
DRAWS = 600


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def digits():
    return double_descent_rff.verify(SETTING, networks=4)


def test_measurements_on_digits_are_judged_the_same_after_they_were_saved(
    digits, tmp_path
):
    measured.save(digits.measured, tmp_path / "measured.pt")
    loaded = measured.load(tmp_path / "measured.pt")
    assert double_descent_rff.judge(loaded) == digits.evidence


def test_the_claim_on_digits_stands(digits):
    assert digits.stands


def test_bar_of_the_risk_is_six_standard_errors():
    """Three percent of the risk against the spread of one draw over sqrt(1000), where
    |p - n| >= 10.
    """
    for p in (1, 10, 20, 30, 50, 55, 60, 100):
        used = (p / 100, 1 - p / 100, 0.25)
        bar = 0.03 * weak_features_risk(40, p, *used)
        assert bar >= 6 * weak_features_spread(40, p, *used) / 1000**0.5


def fallen(checks):
    return [check.name for check in checks if not check.holds]


def exact_parts(name):
    """Risks and parts as the formulas have them, with a peak where they are infinite."""
    problem = both_problems()[name]
    risk = torch.tensor([predicted_risk(problem, p) for p in COUNTS]).clamp(max=100)
    parts = [
        weak_features_parts(40, p, *problem.signal(p), problem.noise**2) for p in COUNTS
    ]
    unused = [problem.signal(p)[1] for p in COUNTS]
    return Risks(
        risk.double()[:, None].repeat(1, DRAWS),
        torch.tensor([part.bias for part in parts]).double()
        - torch.tensor(unused).double(),
        torch.tensor([part.inputs for part in parts]).double(),
        torch.tensor([part.labels for part in parts]).double(),
    )


@pytest.fixture(scope="module")
def exact():
    """A measurement that is what theory says; the eigenvalues are really drawn."""
    values, least = spectra(40, 400, torch.Generator().manual_seed(5))
    risks = {name: exact_parts(name) for name in both_problems()}
    gaps, stray = torch.zeros(8).double(), torch.full((40,), 3.4).double()
    return WeakRisks(torch.tensor(COUNTS), risks, values, least, gaps, stray)


def changed(measured, **parts):
    weak = dataclasses.replace(measured.risks["equally weak"], **parts)
    return dataclasses.replace(measured, risks=measured.risks | {"equally weak": weak})


def judged(measured):
    return page.double_descent_linear.judge(measured)


def test_what_theory_says_stands(exact):
    assert falls(judged(exact).checks) == []
    assert judged(exact).control.refuted


def test_one_draw_without_a_risk_makes_the_claim_fall(exact):
    for k in range(len(COUNTS)):
        risks = exact.risks["equally weak"].given.clone()
        risks[k, 2] = math.nan
        assert falls(judged(changed(exact, given=risks)).checks), COUNTS[k]
    gaps = exact.gaps.clone()
    gaps[3] = math.nan
    assert falls(judged(dataclasses.replace(exact, gaps=gaps)).checks) == [8]
    stray = exact.stray.clone()
    stray[:3] = math.nan
    assert not judged(dataclasses.replace(exact, stray=stray)).control.refuted


def test_a_peak_elsewhere_and_another_risk_are_told(exact):
    risk = exact.risks["equally weak"].given
    assert falls(judged(changed(exact, given=risk.roll(1, 0))).checks) == [0, 2]
    bar = 0.031 * (1000 / DRAWS) ** 0.5
    assert falls(judged(changed(exact, given=risk * (1 + bar))).checks) == [0]


@pytest.mark.parametrize(("part", "place"), [("bias", 3), ("inputs", 4), ("labels", 5)])
def test_parts_that_are_off_or_not_known(exact, part, place):
    values = getattr(exact.risks["equally weak"], part)
    for k in (-2, -1):
        for wrong in (math.nan, float(values[k]) * 1.25):
            other = values.clone()
            other[k] = wrong
            assert falls(judged(changed(exact, **{part: other})).checks) == [place]


def test_spectra_of_other_matrices(exact):
    """Rows that are not independent: another law; and least eigenvalues of square
    matrices.
    """
    mixed = [values * values.mean() * 1.1 for values in exact.spectra]
    assert falls(judged(dataclasses.replace(exact, spectra=tuple(mixed))).checks) == [6]
    square = exact.spectra[SPECTRA.index(40)][:, 0] * 40
    assert falls(judged(dataclasses.replace(exact, least=square)).checks) == [7]
    lost = exact.least.clone()
    lost[7] = math.nan
    assert falls(judged(dataclasses.replace(exact, least=lost)).checks) == [7]
    values = exact.spectra[1].clone()
    values[3, 3] = math.nan
    parts = (exact.spectra[0], values, exact.spectra[2])
    assert falls(judged(dataclasses.replace(exact, spectra=parts)).checks) == [6]


def test_the_control_survives_from_zero(exact):
    """The same descents with a start of norm 0."""
    generator = torch.Generator().manual_seed(3)
    weak = both_problems()["equally weak"]
    stray = risk_from(weak, 40, generator, SETTING, start_norm=0.0)
    assert not judged(dataclasses.replace(exact, stray=stray)).control.refuted


def test_standard_errors_of_the_parts():
    """Over 200 estimates from 50 draws each the scores have mean 0 and variance 1."""
    problem = equally_weak(60, noise=0.5)
    generator = torch.Generator().manual_seed(11)
    found = [
        measured_risks({"weak": problem}, 40, (60,), 50, generator)["weak"]
        for _ in range(200)
    ]
    parts = weak_features_parts(40, 60, 1.0, 0.0, 0.25)
    errors = bias_errors(40, 60, 50)
    for name, truth, error in (
        ("bias", parts.bias, errors[0]),
        ("inputs", parts.inputs, errors[1]),
    ):
        scores = (torch.cat([getattr(one, name) for one in found]) - truth) / error
        assert abs(float(scores.mean())) < 4 / 200**0.5
        assert 0.7 < float(scores.var()) < 1.4


def made_up_curves():
    """Errors and norms of eight splits at seven counts, the threshold in the middle."""
    clean = torch.tensor([0.3, 0.1, 0.2, 0.8, 0.2, 0.1, 0.05])
    noisy = torch.tensor([0.3, 0.12, 0.3, 0.9, 0.4, 0.3, 0.2])
    error = torch.stack([clean, clean, noisy])[:, None].repeat(1, 8, 1)
    counts = torch.tensor([10, 20, 30, 40, 50, 60, 70])
    rest = torch.zeros(3, 8, 7)
    return FeatureCurves(
        counts, 40, error, rest, error.clone(), rest, rest[0], rest[..., 0]
    )


def test_curves_are_judged_split_by_split():
    assert fallen(judge_features(made_up_curves())) == []
    for corruption in range(3):
        for cell in range(7):
            curves = made_up_curves()
            curves.error[corruption, 5, cell] = math.nan
            assert fallen(judge_features(curves)), (corruption, cell)
    curves = made_up_curves()
    curves.norm[1, 5, 1] = 1.0
    assert len(fallen(judge_features(curves))) == 1
    curves = made_up_curves()
    curves.error[2, 5, 6] = 0.1
    assert len(fallen(judge_features(curves))) == 1


@pytest.mark.parametrize("corruption", [0, 2])
def test_the_valleys_are_compared_whatever_the_errors_are(corruption):
    """Without noise the second valley has to be the lower one, with noise the first."""
    curves = made_up_curves()
    error = curves.error[corruption, 5]
    first, second = error[:3].amin(), error[4:].amin()
    for factor in (1e-3, 1e3):
        error[:] = factor * made_up_curves().error[corruption, 5]
        assert fallen(judge_features(curves)) == []
        error[:] = factor * torch.where(torch.arange(7) < 3, second, first)
        error[3] = factor * 100
        (name,) = fallen(judge_features(curves))
        assert ("second valley over first" in name) == (corruption == 0)


def test_a_network_without_a_loss_leaves_no_peak():
    test = torch.tensor([0.5, 1.7, 0.6])[:, None].repeat(1, 8)
    assert _network_peak(test).holds
    for width in range(3):
        broken = test.clone()
        broken[width, 3] = math.nan
        assert not _network_peak(broken).holds


def test_control_risks_what_the_unseen_part_of_the_start_adds(verdicts):
    """|w_0|^2 (1 - n/p) on top of the formula, for a start w_0 of norm 2 in a random
    direction.
    """
    stray = verdicts["double-descent-linear"].measured.stray
    assert float(stray.mean()) == pytest.approx(1.019 + 4 * 0.6, rel=0.15)


def test_measured_risk_agrees_with_a_loop_over_pseudoinverses():
    problem = equally_weak(12, noise=0.5)
    found = measured_risks(
        {"weak": problem}, 5, (3, 9), 4, torch.Generator().manual_seed(3)
    )["weak"].given
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
    curves = digits.measured.features
    over = curves.counts >= curves.samples
    assert curves.fit[..., over].max() < 1e-6
    assert curves.fit[..., ~over].min() > 0.05
    assert (curves.error[..., -1].mean(1) - curves.kernel.mean(1)).abs().max() < 0.03


def test_clean_and_noisy_labels_belong_to_the_same_digits(digits):
    """More redrawn labels never help on average: the curves lie above each other."""
    curves = digits.measured.features
    error = curves.error.mean(1)[:, curves.counts != 400]
    assert (error.diff(dim=0) > 0).all()


def test_without_label_noise_the_networks_have_a_lower_peak():
    noisy, clean = (
        network_curves(SETTING, (12,), 3, 800, corruption=share).test.mean()
        for share in (0.2, 0.0)
    )
    assert clean < 0.7 * noisy


# --- Benign overfitting
