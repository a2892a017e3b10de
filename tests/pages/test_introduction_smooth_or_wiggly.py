import math
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from ibcore.claims import Setting
from ibcore.pages.introduction import claims as page
from ibcore.pages.introduction.networks import Trained, Wiggly
from ibcore.pages.introduction.runs import FIT, fit_points, start_wiggly
from ibcore.problems.curves import points, scattered_points
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance

CLAIMS = {page.smooth_or_wiggly.id: page.smooth_or_wiggly}
SETTING = Setting.create("quick", seed=11, device="cpu")
smooth = import_module(f"{page.__name__}.smooth_or_wiggly")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def wiggly():
    return page.smooth_or_wiggly.verify(
        SETTING, seeds=3, narrow_sets=20, small_sets=8, kernel_sets=8
    )


@pytest.fixture(scope="module")
def groups(wiggly):
    return (*wiggly.measured.narrow, *wiggly.measured.wide)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_another_seed_stands(wiggly):
    assert fallen(wiggly.evidence.checks) == []
    assert wiggly.stands


def poisoned(values):
    """The same with the first member broken."""
    return torch.cat([torch.full_like(values[:1], math.nan), values[1:]])


def fallen(checks):
    return [check.name for check in checks if not check.holds]


def test_one_broken_network_makes_the_statements_about_all_fall(wiggly):
    found = wiggly.measured
    first = found.wide[0]
    for field in ("loss", "certified"):
        random = replace(
            first.random, **{field: poisoned(getattr(first.random, field))}
        )
        wide = (replace(first, random=random), *found.wide[1:])
        evidence = page.smooth_or_wiggly.judge(replace(found, wide=wide))
        assert len(fallen(evidence.checks)) == 1


def test_the_wiggly_networks_are_interpolants_of_their_choice(groups):
    """Built to fit, ten times as rough as the trained ones, and off the data once
    perturbed.
    """
    for one in groups:
        assert float(one.wiggly.built_loss.max()) <= FIT
        assert float((one.wiggly.built_ratio / one.random.ratio).min()) >= 10
        assert float(one.wiggly.loss.min()) > 1e-2


def test_the_control_survives_from_random_weights(groups):
    """The same measurement of the networks that started without large bends."""
    assert smooth._wiggly_control([one.wiggly for one in groups]).refuted
    starts = [
        Wiggly(
            one.random.loss,
            one.random.ratio,
            torch.ones_like(one.random.ratio),
            one.random,
        )
        for one in groups
        if one.width >= 256
    ]
    assert not smooth._wiggly_control(starts).refuted


def test_wiggly_networks_without_a_fit_refute_nothing(groups):
    starts = [one.wiggly for one in groups]
    lost = [replace(start, loss=poisoned(start.loss)) for start in starts]
    assert not smooth._wiggly_control(lost).refuted


def test_a_network_that_does_not_fit_is_not_smooth(wiggly):
    tiny = wiggly.measured.tiny
    assert float(tiny.ratio.max()) < 2
    checks = smooth._smoothness([tiny], [tiny])
    assert [check.measured for check in checks[1:3]] == [0, 0]


def test_distances_to_the_kernel_interpolant_are_judged_by_size_and_slope():
    widths = (64, 256, 1024)
    exact = torch.tensor(widths, dtype=torch.float64)[:, None] ** -0.5 * torch.ones(8)
    assert fallen(smooth._kernel_end(widths, exact)) == []
    assert len(fallen(smooth._kernel_end(widths, exact**2))) == 1
    assert len(fallen(smooth._kernel_end(widths, exact + 1))) == 2
    exact[-1, 3] = math.nan
    assert len(fallen(smooth._kernel_end(widths, exact))) == 2


def test_small_starts_without_a_fit_do_not_help():
    ratio, loss = torch.full((8,), 0.7), torch.full((8,), 0.1)
    assert fallen(smooth._small_starts(ratio, loss)) == []
    ratio[:6] = math.nan
    loss[:6] = 1e-8
    assert len(fallen(smooth._small_starts(ratio, loss))) == 2


def test_other_starts_count_in_the_judgment(wiggly):
    found = wiggly.measured
    stuck = replace(found.rich, status=("stalled",) * 6 + found.rich.status[6:])
    for changed in (
        {"rich": stuck},
        {"tiny": replace(found.tiny, loss=found.tiny.loss * 0)},
        {"distances": found.distances + 1},
    ):
        evidence = page.smooth_or_wiggly.judge(replace(found, **changed))
        assert fallen(evidence.checks)


def test_a_trained_network_can_be_refitted_to_your_own_points():
    data = points([0.3, -0.8, 0.9, -0.1], [1.0, 0.0, -1.0, 2.0])
    fit = fit_points(data, 128, 100.0, generator())
    assert fit.flow.status == ("converged",)
    torch.testing.assert_close(
        fit.network.outputs(fit.flow.theta), data.y, rtol=0, atol=3e-4
    )
    assert 1 < float(fit.ratio) < 2
    assert fit.on_grid(50).shape == (1, 50)


def test_points_on_a_line_need_no_roughness():
    with pytest.raises(InvalidInput, match="on a line"):
        fit_points(points([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), 64, 100.0, generator())


@pytest.mark.parametrize(
    ("width", "scale", "name"),
    [
        (0, 100.0, "width"),
        (-3, 100.0, "width"),
        (64, -1.0, "scale"),
        (64, math.nan, "scale"),
    ],
)
def test_bad_networks_are_refused(width, scale, name):
    with pytest.raises(InvalidInput, match=name):
        fit_points(scattered_points(1, 8, generator()), width, scale, generator())


def test_certificate_holds_for_networks_that_did_not_fit(wiggly):
    tiny = wiggly.measured.tiny
    assert not tiny.fits.any()
    assert float(tiny.ratio.min()) < 1 < float(tiny.certified.min())


def test_an_unperturbed_wiggly_start_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    still = Wiggly.of(start_wiggly(fit, generator(), perturbation=0.0))
    assert float(still.loss.max()) < 1e-20
    assert bool(still.roughness.isnan().all())


def test_a_refit_that_does_not_fit_proves_nothing():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    short = Wiggly.of(start_wiggly(fit, generator(), max_steps=1))
    assert bool(short.roughness.isnan().all())


def test_what_is_kept_of_a_network_is_what_its_flow_says():
    fit = fit_points(scattered_points(2, 8, generator()), 64, 100.0, generator())
    kept = Trained.of(fit)
    assert torch.equal(kept.fits, fit.fits)
    assert torch.equal(kept.roughness, fit.ratio)


def test_small_starts_stay_far_from_the_kernel_interpolant():
    problems = page.smooth_or_wiggly.problems(
        SETTING, kernel_widths=(256,), kernel_sets=4
    )
    near, far = (
        smooth.kernel_distances(problems, SETTING, scale) for scale in (1000.0, 10.0)
    )
    assert float(far.median()) > 1.5 * float(near.median())
