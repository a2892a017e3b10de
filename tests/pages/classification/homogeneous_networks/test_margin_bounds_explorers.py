import torch

from ibcore.models.network import Network
from ibcore.pages.classification.homogeneous_networks.margin_bounds.explorers import (
    explore_at,
    explore_margins,
)
from ibcore.pages.classification.homogeneous_networks.margin_bounds.runs import (
    he_start,
    train_to,
)


def ratio(random, divisor):
    return float(
        explore_at(random, 0.01, divisor)[1].split(" is ")[1].split(" times")[0]
    )


def test_raw_margins_change_their_order_with_training_and_normalized_ones_do_not():
    assert ratio(0.3, "nothing") > 1 > ratio(0.001, "nothing")
    assert min(ratio(loss, "spectral complexity") for loss in (0.3, 0.001)) > 2


def test_the_picture_has_a_curve_and_a_median_for_each_labeling():
    figure, sentence = explore_at(0.01, 0.01, "nothing")
    assert len(figure.axes[0].lines) == 4
    assert "divided by nothing" in sentence
    explorer = explore_margins()
    assert "true" in explorer.frame(explorer.start).sentence


def test_the_start_has_variance_two_over_the_number_of_inputs_of_each_layer():
    net = Network(torch.zeros(1, 50).double(), (400,), "relu", 10, biases=False)
    start = he_start(net, 3, torch.Generator().manual_seed(1114030))
    for matrix, columns in zip(net.matrices(start), (50, 400), strict=True):
        error = (2 / matrix.numel()) ** 0.5
        assert abs(float(matrix.square().mean()) * columns / 2 - 1) < 5 * error


def test_a_loss_that_is_not_reached_leaves_no_number():
    X = torch.ones(1, 2, 3).double()
    net = Network(X, (4,), "relu", 2, biases=False)
    start = he_start(net, 1, torch.Generator().manual_seed(1114031))
    watched = train_to([9.0, 0.1], net, torch.tensor([[0, 1]]), start, 0.01)
    for values in watched.values():
        assert bool(values[0].isfinite().all())
        assert bool(values[1].isnan().all())
