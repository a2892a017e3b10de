import dataclasses
import math

import pytest
import torch

from ibcore.measures.robustness import Neurons
from ibcore.models.network import of_neurons
from ibcore.oracles.robustness import orthogonal_bound
from ibcore.pages.further.robustness import claims as page
from ibcore.pages.further.robustness import runs
from ibcore.pages.further.robustness.perturbed import flipped_within
from ibcore.problems.near_orthogonal import in_their_span, near_orthogonal
from ibcore.validation import InvalidInput
from tests.conformance import UnbrokenConformance, falls

CLAIMS = {claim.id: claim for claim in (page.adversarial_nonrobust,)}
CPU = torch.device("cpu")


class TestClaims(UnbrokenConformance):
    """What all claims promise."""


@pytest.fixture(scope="module")
def measured(verdicts):
    return verdicts["adversarial-nonrobust"].measured


def test_what_is_measured_has_the_sizes_of_quick(measured):
    assert measured.near.shape == (2, 8, 20)
    assert measured.shares.shape == (3, 2, 8)
    assert measured.built.shape == (4, 8, 20)
    assert list(measured.wide) == [4, 10, 20, 40]
    assert measured.slopes.shape == measured.ratios.shape == (8,)


def poisoned(values, place, bad):
    lost = values.clone()
    lost.view(-1)[place] = bad
    return lost


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_point_that_is_not_flipped_as_proved_makes_the_claim_fall(measured, bad):
    assert falls(page._proved(measured)) == []
    for name, places in (("orthogonal", [0, 1]), ("built", [2]), ("far", [3])):
        lost = {name: poisoned(getattr(measured, name), 5, bad)}
        found = falls(page._proved(dataclasses.replace(measured, **lost)))
        # a point that is never flipped meets the bound from below
        assert found == (places if math.isnan(bad) else places[-1:])
    low = dataclasses.replace(measured, orthogonal=measured.orthogonal * 0.9)
    assert falls(page._proved(low)) == [0]
    high = dataclasses.replace(measured, far=measured.far * 4)
    assert falls(page._proved(high)) == [3]


def test_networks_that_need_more_make_the_claim_fall(measured):
    near, wide, slopes = measured.near, measured.wide, measured.slopes
    assert falls(page._universal(near, wide, slopes)) == []
    for bad in (math.nan, math.inf, 2.1):
        lost = near.clone()
        lost[:, :7, 3] = bad
        assert 1 in falls(page._universal(lost, wide, slopes))
        lost = {n: norms.clone() for n, norms in wide.items()}
        lost[10][:, 3] = lost[40][:, 3] = bad
        assert falls(page._universal(near, lost, slopes)) == [1]
    lost = near.clone()
    lost[0, :7] = 1.5
    assert falls(page._universal(lost, wide, slopes)) == [0]
    for bad in (math.nan, -0.3, -0.7):
        assert falls(page._universal(near, wide, poisoned(slopes, 2, bad))) == [2]


def test_random_directions_that_flip_other_shares_make_the_claim_fall(measured):
    shares, derived = measured.shares, measured.derived
    assert falls(page._directions(shares, derived)) == []
    for place, bad in ((0, 1e-4), (1, 0.01), (0, math.nan), (1, math.nan)):
        lost = shares.clone()
        lost[place, 1, 2] = bad
        assert falls(page._directions(lost, derived)) == [place]
    for bad in (math.nan, 0.0, 0.1):
        lost = shares.clone()
        lost[2, 0, :7] = bad
        assert falls(page._directions(lost, derived)) == [2]


def test_networks_that_are_not_robust_make_the_claim_fall(measured):
    built, ratios = list(measured.robust.values()), measured.ratios
    assert falls(page._robust(built, ratios)) == []
    for place, (name, bad) in enumerate(
        (("certified", -0.01), ("attacked", 0.0), ("beyond", 0.01))
    ):
        for value in (bad, math.nan):
            lost = {name: poisoned(getattr(built[1], name), 3, value)}
            wrong = [built[0], dataclasses.replace(built[1], **lost)]
            assert falls(page._robust(wrong, ratios)) == [place]
    for bad in (math.nan, 1.2):
        lost = ratios.clone()
        lost[:5] = bad
        assert falls(page._robust(built, lost)) == [3]


def test_networks_that_are_not_trained_make_the_claim_fall(measured):
    far, wide = measured.losses, measured.wide_losses
    assert falls(page._losses(far, wide)) == []
    for bad in (math.nan, -40.0):
        assert falls(page._losses(poisoned(far, 1, bad), wide)) == [0]
        assert falls(page._losses(far, poisoned(wide, 1, bad))) == [1]


def test_a_network_that_is_not_flipped_makes_slopes_and_ratios_unknown(measured):
    wide = dict(measured.wide)
    wide[40] = wide[40].clone()
    wide[40][2] = math.inf
    lost = dataclasses.replace(measured, wide=wide)
    assert not page._universal(lost.near, lost.wide, lost.slopes)[2].holds
    assert float(lost.ratios[2]) == 0


def sets_of(seeds, n, d, *, exactly=False):
    X, y = near_orthogonal(seeds, n, d, exactly=exactly)
    inputs, basis = in_their_span(X)
    return runs.Sets(inputs, y, d), X, basis


def test_the_control_could_come_out_the_other_way(measured):
    """With the true labels the same measurement flips all points, and nothing is
    refuted.
    """
    assert page._shuffled_control(measured.shuffled).refuted
    sets, _, _ = sets_of(range(50, 58), 20, 400)
    small = torch.full((8,), 0.1).double()
    net = runs.train(sets, range(8), small).net
    shares = flipped_within(net, sets, sets.universal)
    assert not page._shuffled_control(shares).refuted
    lost = poisoned(measured.shuffled, slice(0, 5), math.nan)
    assert not page._shuffled_control(lost).refuted
    net.a[3] = math.nan
    assert flipped_within(net, sets, sets.universal).isnan().tolist() == [
        k == 3 for k in range(8)
    ]


def test_training_in_the_span_is_training_in_all_dimensions():
    sets, X, basis = sets_of([1, 2], 6, 30)
    scale = torch.tensor([1.0, 0.5]).double()
    inner = runs.train(sets, [3, 4], scale, -20.0)
    whole = runs.Sets(X, sets.y, 30)
    net = runs.in_all_dimensions(
        runs.neurons(sets, runs.start(sets, [3, 4], scale)), basis, [5, 6], scale
    )
    w = torch.cat([net.w, net.b[..., None]], -1)
    theta = of_neurons(net.a, w)
    outer = runs.neurons(whole, runs.descent(whole, theta, -20.0).theta[0])
    torch.testing.assert_close(
        outer.outputs(X), inner.net.outputs(sets.inputs), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(
        runs.universal_norms(outer, whole),
        runs.universal_norms(inner.net, sets),
        rtol=1e-6,
        atol=1e-6,
    )
    rest = runs.in_all_dimensions(inner.net, basis, [5, 6], scale)
    torch.testing.assert_close(outer.w, rest.w, rtol=1e-6, atol=1e-6)


def test_the_start_has_the_variance_of_the_default():
    sets, _, basis = sets_of(range(40), 6, 300)
    scale = torch.full((40,), 0.5).double()
    net = runs.neurons(sets, runs.start(sets, range(40), scale))
    assert float(net.w.std()) == pytest.approx(0.5 / math.sqrt(900), rel=0.05)
    assert float(net.a.std()) == pytest.approx(0.5 / math.sqrt(150), rel=0.05)
    whole = runs.in_all_dimensions(net, basis, range(100, 140), scale)
    assert float(whole.w.std()) == pytest.approx(0.5 / math.sqrt(900), rel=0.02)


def test_shorter_steps_lead_to_the_same_norms():
    """Of first order: errors fall with the step.

    `log_time.flow`, in a minute, gives the same to 6e-4 at L = e^-20.
    """
    sets, _, _ = sets_of([1, 2], 6, 60)
    theta = runs.start(sets, [5, 6], torch.ones(2).double())
    norms = []
    for share in (runs.SHARE, 0.1, 0.02):
        run = runs.descent(sets, theta, -46.1, share=share)
        norms.append(runs.universal_norms(runs.neurons(sets, run.theta[0]), sets))
    torch.testing.assert_close(norms[0], norms[2], rtol=0.02, atol=0)
    torch.testing.assert_close(norms[1], norms[2], rtol=0.01, atol=0)


def test_all_norms_on_orthogonal_inputs_lie_in_the_range_that_is_proved():
    sets, _, _ = sets_of([7, 8], 12, 100, exactly=True)
    net = runs.train(sets, [1, 2], torch.ones(2).double(), biases=False).net
    norms = runs.universal_norms(net, sets)
    assert bool((norms >= 0.99).all())
    assert bool((norms <= orthogonal_bound(sets.y)).all())
    assert bool((net.b == 0).all())


def test_attacks_start_from_every_point_in_known_directions():
    sets, X, _ = sets_of([1], 4, 10)
    begin = runs.attack_starts(sets, 3, tries=2)
    assert begin.shape == (1, 5, 4, 4)
    torch.testing.assert_close(begin[:, 3], -sets.inputs)
    towards = begin[0, 4] + sets.inputs[0]
    products = (X @ X.mT)[0]
    for i, j in enumerate((towards @ sets.inputs[0].mT).argmax(-1).tolist()):
        rivals = [k for k in range(4) if sets.y[0, k] != sets.y[0, i]]
        assert j == max(rivals, key=lambda k: float(products[i, k]))


def test_following_own_data():
    generator = torch.Generator().manual_seed(2)
    X = torch.randn(12, 200, generator=generator, dtype=torch.float64)
    y = torch.tensor([1.0, -1.0]).repeat(6).double()
    found = runs.follow(5 * X, y)
    assert bool((found.norms < found.halfway).all())
    lengths = torch.linalg.vector_norm(found.sets.inputs, dim=-1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, math.sqrt(200)))
    for moves in (found.moves(), found.moves(found.sets.universal)):
        torch.testing.assert_close(
            torch.linalg.vector_norm(moves, dim=-1), torch.ones(1, 12).double()
        )
    with pytest.raises(InvalidInput, match="row of zeros"):
        runs.follow(X * torch.arange(12)[:, None], y)


def test_networks_that_did_not_arrive_are_not_known():
    sets, _, _ = sets_of([1], 4, 20)
    theta = runs.start(sets, [1], torch.ones(1).double())
    net = runs.neurons(sets, torch.full_like(theta, math.nan))
    assert isinstance(net, Neurons)
    assert bool(runs.universal_norms(net, sets).isnan().all())
