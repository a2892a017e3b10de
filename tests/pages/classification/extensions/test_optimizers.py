import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.directions import Gradient
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.losses import Logistic
from ibcore.measures import slope
from ibcore.models import Linear
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.separability import NotSeparable
from ibcore.pages.classification.extensions.optimizers import balls, norms, runs
from ibcore.pages.classification.extensions.optimizers import claims as page
from ibcore.pages.classification.extensions.optimizers.claims.adaptive_methods import (
    adam_run,
    stretch,
    weighted_gaps,
    with_epsilon,
)
from ibcore.pages.classification.extensions.optimizers.claims.gd_sgd_same_limit import (
    another_geometry,
)
from ibcore.pages.classification.extensions.optimizers.claims.normalized_gd_rate import (
    plain_steps,
)
from ibcore.pages.classification.extensions.optimizers.claims.steepest_descent_norm_margin import (
    falling,
    found,
    spent,
    steepest_run,
)
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance

CLAIMS = {
    claim.id: claim
    for claim in (
        page.gd_sgd_same_limit,
        page.normalized_gd_rate,
        page.steepest_descent_norm_margin,
        page.adaptive_methods,
    )
}


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


def problems(count=8):
    return norms.NormProblems.draw(Setting("quick", 6), count, "any", steps=7000)


def test_the_data_of_three_norms_meet_their_conditions():
    drawn = problems(2)
    assert bool((drawn.margins >= norms.LEAST_MARGIN * drawn.radii).all())
    for b, solutions in enumerate(drawn.solutions):
        optima = torch.stack([s.primal for s in solutions])
        gaps = drawn.gaps(optima[:, None].repeat(1, 2, 1))[:, b]
        torch.testing.assert_close(
            gaps.diagonal(), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-7
        )
        assert bool((gaps + torch.eye(3) >= norms.LEAST_DIFFERENCE).all())
        for k in (0, 2):
            strict = norms.strictness(drawn.signed[b], solutions[k])
            pairs = zip(strict, norms.LEAST_STRICTNESS, strict=True)
            assert all(value >= least for value, least in pairs)


def test_the_data_in_the_ball_meet_their_conditions():
    drawn = balls.Balls.draw(Setting("quick", 6), 4, "any", steps=10, angle=0.1)
    assert float(drawn.signed.norm(dim=-1).max()) == pytest.approx(1)
    assert float(drawn.gamma.min()) >= balls.LEAST_MARGIN
    least = runs.margins(drawn.signed, drawn.w_hat).amin(-1)
    torch.testing.assert_close(least / drawn.w_hat.norm(dim=-1), drawn.gamma)
    assert (
        balls.clear_cut(Classification(drawn.signed[0] / 4, torch.ones(8)), 0) is None
    )


def test_strictness_of_a_single_point():
    """For x = (2, 1) the l1 optimum (1, 0) has certificate (1, 1/2), the l_inf optimum
    (1, 1) has (2/3, 1/3).
    """
    data = Classification(torch.tensor([[2.0, 1.0]]).double(), torch.ones(1).double())
    one, infinity = (
        norms.strictness(data.signed, norm_max_margin(data.X, data.y, p))
        for p in (1.0, math.inf)
    )
    assert one == pytest.approx((1, 0.5))
    assert infinity == pytest.approx((1, 1 / 3))


def test_weighted_gaps_vanish_at_the_weighted_optimum():
    """One point a: the largest margin in sqrt(sum D_j w_j^2) is at w = a / D."""
    rows = torch.tensor([[[2.0, 1.0]]]).double()
    scale = torch.tensor([[4.0, 1.0]]).double()
    weighted, l2 = weighted_gaps(rows, rows[:, 0] / scale, scale)
    assert float(weighted) == pytest.approx(0, abs=1e-9)
    assert float(l2) == pytest.approx(1 - 2 / math.sqrt(1.25 * 5))


def test_a_coordinate_that_is_always_zero_changes_no_weighted_gap():
    rows = torch.tensor([[[2.0, 1.0, 0.0]]]).double()
    scale = torch.tensor([[4.0, 1.0, 0.0]]).double()
    weighted, _ = weighted_gaps(rows, torch.tensor([[0.5, 1.0, 0.0]]).double(), scale)
    assert float(weighted) == pytest.approx(0, abs=1e-9)


def test_the_control_on_geometry_survives_with_gradients_in_place_of_signs(verdicts):
    measured = verdicts["gd-sgd-same-limit"].measured
    rows = measured.balls.signed
    run = descend(
        Objective(Linear(rows), Logistic()),
        rows.new_zeros(len(rows), rows.shape[-1]),
        runs.in_blocks([1.0], [True], rows),
        steps=[measured.balls.steps],
        direction=Gradient(),
    )
    assert another_geometry(measured.sines(measured.sign)).refuted
    assert not another_geometry(measured.sines(run.theta[0])).refuted


def test_the_control_on_plain_steps_survives_with_steps_over_the_loss(verdicts):
    slopes = verdicts["normalized-gd-rate"].measured.slopes
    assert plain_steps(slopes[2]).refuted
    assert not plain_steps(slopes[0]).refuted
    assert not plain_steps(slopes[1]).refuted


def test_plain_steps_have_the_slope_that_the_control_says(verdicts):
    measured = verdicts["normalized-gd-rate"].measured
    expected = -1 / float(measured.stops.log().mean())
    assert float(measured.slopes[2].median()) == pytest.approx(expected, abs=0.1)


def test_the_control_on_the_lengths_survives_where_their_sum_is_infinite():
    drawn = problems()

    def control(power, over):
        run = steepest_run(drawn, falling(drawn, power, over), [7000])
        return spent(norms.own_gaps(drawn.gaps(found(run))[-1]))

    assert control(2.0, 20.0).refuted
    assert not control(0.5, 600.0).refuted
    assert not spent(torch.full((8, 3), math.nan).double()).refuted


def test_the_control_on_epsilon_survives_without_it():
    drawn = problems()
    run = adam_run(drawn, [7000], (1e-8, 0.0))
    gaps = drawn.gaps(run.theta.unflatten(1, (2, -1)))[-1, ..., 2]
    assert with_epsilon(gaps[0]).refuted
    assert not with_epsilon(gaps[1]).refuted


def test_with_epsilon_adam_turns_towards_the_l2_margin(verdicts):
    """Why the control fails: where the gradients are smaller than epsilon, the gap in
    l2 falls.
    """
    gaps = verdicts["adaptive-methods"].measured.gaps[:, 1, :, 1]
    assert bool((gaps[-1] < gaps.amax(0)).all())


def test_slopes_are_those_of_the_logarithms(verdicts):
    measured = verdicts["normalized-gd-rate"].measured
    ends = measured.gaps[[0, -1], 0].log()
    rough = (ends[1] - ends[0]) / math.log(10)
    torch.testing.assert_close(measured.slopes[0], rough, rtol=0.05, atol=0)
    assert slope(measured.stops.log(), measured.sums[:, 0].log()) == pytest.approx(1)


@pytest.mark.parametrize("name", CLAIMS)
def test_own_data_take_the_place_of_drawn_ones(name):
    data = planted_margin(12, 5, 0.5, torch.Generator().manual_seed(1103012))
    verdict = CLAIMS[name].verify(data=(100 * data.X, data.y), steps=700)
    proved = [check for check in verdict.evidence.checks if check.tag == "proved"]
    assert proved
    assert all(check.holds for check in proved)
    with pytest.raises(NotSeparable):
        CLAIMS[name].verify(data=(data.X, data.y * torch.tensor([1.0, -1] * 6)))
    with pytest.raises(InvalidInput):
        CLAIMS[name].verify(data=(data.X, data.y + 3))


def test_gaps_on_a_readers_data_are_smallest_in_the_own_norm():
    data = planted_margin(8, 3, 1.0, torch.Generator().manual_seed(1103013))
    gaps = runs.margin_gaps(data, Gradient(), 0.05, steps=3000)
    assert list(gaps) == ["l1", "l2", "l_inf"]
    assert min(gaps, key=gaps.__getitem__) == "l2"


def test_coordinates_of_stretched_data_have_the_units_1_to_two_fifths_in_turn():
    stretched = stretch(torch.ones(2, 3, 6).double())
    assert stretched[1, 2].tolist() == pytest.approx([1, 0.8, 0.6, 0.4, 1, 0.8])
    signed = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stretch(-2 * signed), -2 * stretch(signed))
