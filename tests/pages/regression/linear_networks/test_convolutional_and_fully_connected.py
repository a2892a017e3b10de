import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.convolutional import Convolutional
from ibcore.oracles.fourier_regression import even_potential, radial_stationarity
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected import (
    runs,
    signals,
)
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.claims.linear_nets_unified_conv_regression import (  # noqa: E501
    _limit_checks,
    _program_error,
    draw_problems,
    linear_nets_unified_conv_regression,
    own_problems,
)
from ibcore.problems.spectra import mirrored, spectral_regression
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {linear_nets_unified_conv_regression.id: linear_nets_unified_conv_regression}
QUICK = linear_nets_unified_conv_regression.sizes["quick"]


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture
def found(verdicts):
    return verdicts["linear-nets-unified-conv-regression"].measured


def judged(found, **changes):
    return linear_nets_unified_conv_regression.judge(replace(found, **changes))


def spoiled(values, bad, members=1):
    """The same values, with others in place of the first rows."""
    other = values.clone()
    other[:members] = bad
    return other


def even_cases(seed, count):
    cases, _ = Setting("quick", seed).draw(
        count, "any", lambda g: signals.spectral_case(g, even=True)
    )
    return cases


def test_the_conditions_on_the_draws_are_those_stated():
    problems = draw_problems(Setting("quick", 3), **QUICK | {"problems": 2})
    assert all(
        case.sparse.slack >= signals.SLACK and case.sparse.least >= signals.LEAST
        for case in problems.cases
    )
    assert problems.rejected >= 0
    assert len(problems.generic) == 8
    assert not all(case.resolved for case in problems.generic)


def test_a_run_that_does_not_arrive_says_why():
    (case,) = even_cases(0, 1)
    with pytest.raises(RuntimeError, match="filters of size 0"):
        signals.convolved(case.problem, torch.zeros(2 * signals.LENGTH).double())


def test_runs_that_do_not_arrive_make_the_claim_fall_and_refute_nothing(monkeypatch):
    flow, count = signals.stiff_flow, iter(range(1000))
    monkeypatch.setattr(
        signals,
        "stiff_flow",
        lambda *arguments, **options: flow(
            *arguments,
            **options,
            max_steps=3 if next(count) in (0, 32, 33, 34) else 10**5,
        ),
    )
    verdict = linear_nets_unified_conv_regression.verify(Setting("quick", 4))
    evidence = verdict.evidence
    broken = [check.broken for check in evidence.checks]
    assert broken == [0, 0, 1, 0, 1, 0, 0]
    assert falls(evidence.checks) == [2, 4]
    assert len(evidence.broken) == 4
    assert all("step limit" in reason for reason in evidence.broken)
    assert not evidence.control.refuted
    assert int(verdict.measured.generic_missing.isnan().sum()) == 3


@pytest.mark.parametrize(
    ("name", "bad", "members", "fallen"),
    [
        ("program", 1e-3, 1, [0]),
        ("program", math.nan, 1, [0]),
        ("missing", 1e-9, 1, [1]),
        ("missing", math.nan, 1, [1]),
        ("distances", 1e-8, 1, [2]),
        ("distances", math.nan, 1, [2]),
        ("random", 1e-8, 1, [3]),
        ("random", math.nan, 1, [3]),
        ("dense", 1e-5, 1, [4]),
        ("dense", math.nan, 1, [4]),
    ],
)
def test_one_bad_member_makes_its_check_fall(found, name, bad, members, fallen):
    poisoned = spoiled(getattr(found, name), bad, members)
    assert falls(judged(found).checks) == []
    assert falls(judged(found, **{name: poisoned}).checks) == fallen


def test_the_excess_is_judged_at_one_scale_and_by_its_exponents(found):
    """Scales are 10, 1e-3 and 1e-4: the second is bounded, the last two have a slope."""
    high = found.excess.clone()
    high[:, 1:] *= 10
    assert falls(judged(found, excess=high).checks) == [5]
    lost = found.excess.clone()
    lost[0, 1] = math.nan
    assert falls(judged(found, excess=lost).checks) == [5]
    decade = found.excess[:, 1] / 10 ** (2 * found.slacks)
    for factor, members, fallen in (
        (1.0, 8, []),
        (10**0.2, 8, [6]),
        (0.1, 8, [6]),
        (math.nan, 5, [6]),
    ):
        bent = found.excess.clone()
        bent[:, 2] = decade
        bent[:members, 2] *= factor
        assert falls(judged(found, excess=bent).checks) == fallen


@pytest.mark.parametrize(("share", "fallen"), [(0.9, []), (1.1, [0, 1])])
def test_excesses_are_compared_with_their_bars(share, fallen):
    ones = torch.ones(8).double()
    assert falls(_limit_checks(share * 1e-6 * ones, share * ones)) == fallen


@pytest.mark.parametrize("name", ["gap", "residual"])
def test_interpolants_without_certificate_are_noticed(name):
    (case,) = even_cases(4, 1)
    assert _program_error(case) < 1e-7
    for bad in (-1e-3, math.nan):
        if name == "residual" and bad < 0:
            continue
        other = replace(case, sparse=replace(case.sparse, **{name: bad}))
        assert not _program_error(other) < 1e-7


def test_runs_without_a_number_refute_nothing(found):
    far = torch.full((8,), 0.4).double()
    assert judged(found, generic_missing=far).control.refuted
    for bad in (math.nan * far, 0 * far, spoiled(far, math.nan, 3)):
        assert not judged(found, generic_missing=bad).control.refuted


def test_the_control_survives_on_even_inputs(found):
    """There the same function of the moduli is the one that the flow minimizes."""
    _, missing, broken = runs.generic_ends(even_cases(1106011, 8), (1e-3,))
    assert broken == ()
    assert float(missing.max()) < 1e-8
    assert not judged(found, generic_missing=missing).control.refuted


def test_what_is_kept_is_finite(found):
    for name in ("excess", "dense", "slacks", "generic_excess", "generic_missing"):
        assert bool(getattr(found, name).isfinite().all())
    assert found.generic_excess.shape == (8, 1)


def test_one_point_without_symmetry_does_minimize_the_radial_function():
    """Its spectrum keeps its phases, so that every frequency moves on a line."""
    data = spectral_regression(1, 8, 3, torch.Generator().manual_seed(2), even=False)
    beta = signals.convolved(data, signals.impulse(8, 0.1), tolerance=1e-9)
    assert radial_stationarity(data.X, beta, 0.1**2 / 2) < 1e-8


def test_frequencies_that_start_balanced_cannot_change_their_sign():
    """All c_k are zero for v^ = conj(u^); the output 2 Re beta^_1 is asked to become
    -1.
    """
    X = torch.fft.irfft(torch.tensor([0, 8, 0, 0, 0], dtype=torch.complex128))[None]
    y = torch.tensor([-1.0], dtype=torch.float64)
    u = torch.randn(
        8, generator=torch.Generator().manual_seed(1106004), dtype=torch.float64
    )
    start, model = torch.cat([u, u.roll(-1).flip(0)]), Convolutional(X)
    with pytest.raises(InvalidInput, match="starts balanced"):
        even_potential(*start.chunk(2))
    run = stiff_flow(model, y, start, target_loss=0, times=[0.3], tolerance=1e-10)
    first = torch.fft.fft(model.coefficients(run.path[-1])).real[1]
    assert 0 < float(first) < 1e-3


def test_on_even_inputs_the_network_is_an_unshared_diagonal_one():
    """Outputs are sums of u+ v+ - u- v- over frequencies."""
    (case,) = even_cases(1106005, 1)
    X = case.problem.X
    u, v = torch.randn(
        2,
        signals.LENGTH,
        generator=torch.Generator().manual_seed(1106006),
        dtype=torch.float64,
    )
    first, second = torch.fft.fft(u), torch.fft.fft(v)
    weights = first.real * second.real - first.imag * second.imag
    outputs = Convolutional(X).outputs(torch.cat([u, v])[None])[0]
    expected = torch.fft.fft(X).real @ weights / signals.LENGTH
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)


def test_the_flow_fits_from_any_start_whose_frequencies_are_not_balanced():
    """Also where a filter is a million times smaller, or has spectra that are not real."""
    starts = []
    for seed in (1106008, 1106009):
        start = torch.randn(
            2 * signals.LENGTH,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        start[signals.LENGTH :] *= 1e-6
        starts.append([start])
    found = runs.arrivals(even_cases(1106007, 2), starts)
    assert float(found.distances.max()) < 1e-7


class TestOwnData:
    def data(self):
        """Even signals of another length, in other units."""
        cases, _ = Setting("quick", 7601).draw(1, "own", self.longer)
        (case,) = cases
        return case.problem.X.numpy() * 40, case.problem.y.numpy() / 3

    def longer(self, generator):
        problem = spectral_regression(5, 20, 2, generator, even=True)
        case = signals.SpectralCase.of(problem)
        return case if case.resolved else None

    def test_they_take_the_place_of_drawn_ones_in_units_of_their_own(self):
        problems = own_problems(Setting("quick", 0), *self.data(), **QUICK)
        (case,) = problems.cases
        assert case.problem.X.shape == (5, 20)
        assert float(case.problem.X.square().mean()) == pytest.approx(1)
        sizes = torch.fft.fft(case.sparse.primal, norm="ortho").abs()
        assert float(sizes.max()) == pytest.approx(1)
        assert problems.layers[0].shape == (40,)
        assert len(problems.generic) == 8

    def test_the_claim_stands_on_them(self):
        verdict = linear_nets_unified_conv_regression.verify(
            Setting("quick", 0), data=self.data()
        )
        assert verdict.stands

    def test_others_are_refused_before_work_starts(self):
        X, y = self.data()
        rng = np.random.default_rng(7602)
        digits = mirrored(rng.normal(size=(4, 8))).numpy()
        for bad, targets, words in (
            (X[:, :8], y, "half as many rows"),
            (rng.normal(size=(3, 10)), y[:3], "mirrored"),
            (X[[0, 1, 0]], y[:3], "dependent"),
            (X, 0 * y, "zero"),
            (digits, rng.normal(size=4), "dual slack"),
        ):
            with pytest.raises(InvalidInput, match=words):
                own_problems(Setting("quick", 0), bad, targets, **QUICK)
