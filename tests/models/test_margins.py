"""Margins of any predictor: the outputs times the labels, and so are derivatives."""

import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.diagonal import Diagonal
from ibcore.models.linear import Linear
from ibcore.models.margins import Margins
from ibcore.validation import InvalidInput
from tests.cases import normal

LABELS = torch.tensor([1.0, -1.0, -1.0, 1.0]).double()
OWN = torch.stack([LABELS, -LABELS, LABELS.flip(0) * LABELS])
THETA, WEIGHTS = normal(3, 6, seed=1), normal(3, 4, seed=2)


def margins(labels, *, own_inputs=False):
    inputs = normal(3, 4, 3, seed=3) if own_inputs else normal(4, 3, seed=3)
    return Margins(Diagonal(inputs, 2), labels)


@pytest.mark.parametrize("own_inputs", [False, True])
@pytest.mark.parametrize("labels", [LABELS, OWN])
def test_margins_and_their_derivatives(labels, own_inputs):
    model = margins(labels, own_inputs=own_inputs)
    found = model.outputs(THETA)
    torch.testing.assert_close(found, labels * model.predictor.outputs(THETA))
    for b in range(3):
        one = model.select(torch.tensor([b]))
        torch.testing.assert_close(one.outputs(THETA[b : b + 1]), found[b : b + 1])
        derivative = vmap(jacrev(lambda at, one=one: one.outputs(at[None])[0]))(
            THETA[b : b + 1]
        )
        torch.testing.assert_close(model.jacobian(THETA)[b : b + 1], derivative)
        pulled = WEIGHTS[b] @ derivative[0]
        torch.testing.assert_close(model.pullback(THETA, WEIGHTS)[b], pulled)
        outputs, back = model.vjp(THETA)
        torch.testing.assert_close(outputs, found)
        torch.testing.assert_close(back(WEIGHTS)[b], pulled)


@pytest.mark.parametrize("labels", [LABELS, OWN])
def test_examples_keep_their_labels(labels):
    model = margins(labels, own_inputs=True)
    full = model.outputs(THETA)
    assert model.examples == 4
    for rows in (torch.tensor([3, 1]), torch.tensor([[0, 1], [2, 3], [1, 0]])):
        part = model.minibatch(rows)
        assert part.examples == 2
        torch.testing.assert_close(
            part.outputs(THETA), full.gather(1, rows.expand(3, 2))
        )


def test_opposite_labels_turn_the_margins_around():
    torch.testing.assert_close(
        margins(-LABELS).outputs(THETA), -margins(LABELS).outputs(THETA)
    )


def test_it_tells_of_its_predictor():
    model = margins(LABELS)
    assert (model.dimension, model.linear) == (6, False)
    assert model.like is model.predictor.like
    assert Margins(Linear(normal(4, 3, seed=4)), LABELS).linear
    single = Margins(Linear(normal(4, 3, seed=4).float()), LABELS)
    assert single.labels.dtype == torch.float32


class Bare:
    """A predictor of somebody else."""

    linear = False


def test_a_predictor_that_tells_nothing_leaves_the_labels_as_they_are():
    model = Margins(Bare(), [1, -1])
    assert model.like is None
    assert model.dimension is None


@pytest.mark.parametrize("labels", [[0.0, 1.0], [1.0, 2.0], [1.0, float("nan")]])
def test_other_labels_are_refused(labels):
    with pytest.raises(InvalidInput, match="labels"):
        Margins(Linear(normal(2, 3, seed=5)), labels)
