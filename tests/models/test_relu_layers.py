import pytest
import torch
from torch.nn.functional import cross_entropy

from ibcore.models.relu_layers import ReLULayers, multiclass_margins
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("sizes", [(5, 7, 3), (4, 6, 5, 3)])
def test_gradient_is_that_of_autograd(sizes):
    generator = torch.Generator().manual_seed(0)
    net = ReLULayers(sizes)
    weights = net.initial(2, generator)
    X = torch.randn(2, 9, sizes[0], generator=generator, dtype=torch.float64)
    y = torch.randint(3, (2, 9), generator=generator)
    tracked = [matrix.clone().requires_grad_() for matrix in weights]
    losses = torch.stack(
        [
            cross_entropy(out, target)
            for out, target in zip(net.logits(tracked, X), y, strict=True)
        ]
    )
    losses.sum().backward()
    loss, gradients = net.loss_and_gradient(weights, X, y)
    assert torch.allclose(loss, losses.detach())
    assert all(
        torch.allclose(g, t.grad) for g, t in zip(gradients, tracked, strict=True)
    )


def test_outputs_are_homogeneous_of_the_depth():
    net = ReLULayers((4, 6, 5, 3))
    weights = net.initial(1, torch.Generator().manual_seed(1))
    X = torch.randn(1, 3, 4, dtype=torch.float64)
    assert net.depth == 3
    assert torch.allclose(
        net.logits([2 * matrix for matrix in weights], X), 8 * net.logits(weights, X)
    )


def test_the_margin_is_against_the_largest_other_logit():
    logits = torch.tensor([[1.0, 3.0, 2.5], [0.0, -1.0, 4.0]])
    assert multiclass_margins(logits, torch.tensor([1, 0])).tolist() == [0.5, -4.0]


def test_a_network_without_hidden_layer_is_refused():
    with pytest.raises(InvalidInput, match="hidden layer"):
        ReLULayers((4, 3))
