"""Benign overfitting: the noise that the least-norm interpolant keeps."""

import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.double_descent import benign
from ibcore.pages.double_descent import claims as page
from ibcore.pages.double_descent.claims import double_descent_linear
from ibcore.pages.double_descent.claims.benign_overfitting import Interpolants
from tests.conformance import falls


def test_claims_depend_on_the_seed_and_on_nothing_else():
    sizes = {"repetitions": 5, "descents": 1, "counts": (20, 40, 100)}
    first, again, other = (
        double_descent_linear.verify(
            Setting.create("quick", seed=seed, device="cpu"), **sizes
        )
        for seed in (1, 1, 2)
    )
    first, again, other = (
        verdict.measured.risks["equally weak"].given
        for verdict in (first, again, other)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def made_up_interpolants(draws=8):
    """Costs as the formula has them."""
    problems = benign.problems((25, 100))
    shape = (len(benign.KINDS), 2)

    def table(name):
        return (
            torch.tensor([getattr(one, name) for one in problems]).double().view(shape)
        )

    noise, signal = table("noise"), table("signal")
    return Interpolants(
        torch.tensor([25, 100]),
        noise[..., None].repeat(1, 1, draws),
        signal[..., None].repeat(1, 1, draws),
        torch.full((*shape, draws), 1e-10).double(),
        noise,
        signal,
        table("order"),
    )


def outcome(**parts):
    evidence = page.benign_overfitting.judge(
        dataclasses.replace(made_up_interpolants(), **parts)
    )
    return falls(evidence.checks), evidence.control.refuted


def test_costs_as_predicted_stand():
    assert outcome() == ([], True)


@pytest.mark.parametrize("kind", range(len(benign.KINDS)))
def test_a_cost_that_is_not_known_makes_the_claim_fall(kind):
    noise = made_up_interpolants().noise
    noise[kind, -1, 3] = math.nan
    failed, refuted = outcome(noise=noise)
    assert 1 in failed
    assert 2 in failed
    assert (3 in failed) == benign.KINDS[kind].startswith("power")
    assert (4 in failed) == (benign.KINDS[kind] == "wide tail")
    assert refuted == (benign.KINDS[kind] != "narrow tail")


def test_costs_that_are_off():
    good = made_up_interpolants()
    noise = good.noise.clone()
    noise[0, -1] *= 1.15
    assert outcome(noise=noise) == ([1], True)
    noise = good.noise.clone()
    noise[0, -1] = noise[0, 0]
    assert outcome(noise=noise)[0] == [1, 2, 4]
    assert outcome(misfit=good.misfit + 2e-6)[0] == [0]


def test_the_control_survives_with_the_wide_tail():
    """The same measurement, of the same kind of spectrum, with enough directions in its
    tail.
    """
    good, last = made_up_interpolants(), benign.KINDS.index("narrow tail")
    noise, signal = good.noise.clone(), good.signal.clone()
    for k, n in enumerate((25, 100)):
        posed = benign.problem("wide tail", n)
        noise[last, k], signal[last, k], _ = benign.interpolate(
            posed, 8, torch.Generator().manual_seed(n), "cpu"
        )
    assert outcome(noise=noise, signal=signal)[1] is False


def test_the_measured_cost_is_that_of_noisy_fits():
    """Against weights fitted to labels that are noise, averaged over many draws of the
    noise.
    """
    posed = benign.problem("power 2", 10)
    cost, signal, misfit = benign.interpolate(
        posed, 1, torch.Generator().manual_seed(4), "cpu"
    )
    X = torch.randn(
        10,
        len(posed.spectrum),
        generator=torch.Generator().manual_seed(4),
        dtype=torch.float64,
    )
    X = X * posed.spectrum.sqrt()
    labels = torch.randn(
        10, 20_000, generator=torch.Generator().manual_seed(6), dtype=torch.float64
    )
    weights = torch.linalg.pinv(X) @ labels
    risks = (posed.spectrum[:, None] * weights.square()).sum(0)
    assert float(cost) == pytest.approx(float(risks.mean()), rel=0.05)
    miss = posed.beta - torch.linalg.pinv(X) @ X @ posed.beta
    assert float(signal) == pytest.approx(float((posed.spectrum * miss**2).sum()))
    assert float(misfit) < 1e-10
