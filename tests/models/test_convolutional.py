import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.convolutional import Convolutional
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.validation import InvalidInput


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


MODELS = [Diagonal(draw(4, 5), depth) for depth in (1, 2, 3, 4)]
MODELS += [
    Convolutional(draw(4, d), depth, kernel)
    for d, depth, kernel in ((5, 2, None), (6, 3, None), (6, 2, 2))
]


@pytest.mark.parametrize("model", MODELS)
def test_jacobian_agrees_with_automatic_differentiation(model):
    theta = draw(3, model.dimension, seed=1)
    expected = vmap(jacrev(lambda one: model.outputs(one[None])[0]))(theta)
    torch.testing.assert_close(model.jacobian(theta), expected)


@pytest.mark.parametrize("model", MODELS)
def test_outputs_are_linear_in_x_and_homogeneous_in_theta(model):
    theta = draw(2, model.dimension, seed=2)
    torch.testing.assert_close(
        model.outputs(theta), model.coefficients(theta) @ model.inputs.T
    )
    torch.testing.assert_close(
        model.outputs(3 * theta), 3.0**model.degree * model.outputs(theta)
    )


@pytest.mark.parametrize("model", MODELS)
def test_each_member_may_have_its_own_inputs(model):
    theta, inputs = draw(2, model.dimension, seed=3), draw(2, 4, model.features, seed=4)
    several = type(model)(
        inputs,
        *[getattr(model, name) for name in ("depth", "kernel") if hasattr(model, name)],
    )
    for i in range(2):
        alone = type(model)(
            inputs[i],
            *[getattr(model, n) for n in ("depth", "kernel") if hasattr(model, n)],
        )
        torch.testing.assert_close(
            several.outputs(theta)[i], alone.outputs(theta[i : i + 1])[0]
        )
        torch.testing.assert_close(
            several.jacobian(theta)[i], alone.jacobian(theta[i : i + 1])[0]
        )


def test_convolution_is_the_circular_sum():
    w, v = draw(5, seed=5), draw(5, seed=6)
    expected = torch.stack(
        [sum(w[j] * v[(i - j) % 5] for j in range(5)) for i in range(5)]
    )
    model = Convolutional(torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(model.coefficients(torch.cat([w, v])), expected)


def test_a_kernel_of_one_entry_only_scales():
    model = Convolutional(torch.eye(4, dtype=torch.float64), kernel=1)
    assert model.dimension == 5
    last = draw(1, 4, seed=7)
    torch.testing.assert_close(
        model.coefficients(torch.cat([torch.full((1, 1), 2.0).double(), last], -1)),
        2 * last,
    )


def test_even_start_is_the_zero_predictor():
    model = Diagonal(draw(4, 3), 3)
    theta = even_start(3, torch.tensor([0.1, 2.0], dtype=torch.float64))
    assert theta.shape == (2, 6)
    assert bool((model.coefficients(theta) == 0).all())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Diagonal(draw(4), 2), "expected \\(n, d\\)"),
        (lambda: Diagonal(draw(4, 3), 0), "depth"),
        (lambda: Convolutional(draw(4, 3), 1), "depth"),
        (lambda: Convolutional(draw(4), 2), "expected \\(n, d\\)"),
        (lambda: Convolutional(draw(4, 3), 2, 4), "1 to the width 3"),
    ],
)
def test_bad_input_is_refused(build, message):
    with pytest.raises(InvalidInput, match=message):
        build()


@pytest.mark.parametrize("model", MODELS[4:])
def test_pullback_and_hessian_of_convolutions_agree_with_automatic_differentiation(
    model,
):
    theta, weights = draw(2, model.dimension, seed=8), draw(2, 4, seed=9)
    torch.testing.assert_close(
        model.pullback(theta, weights),
        (weights[:, None, :] @ model.jacobian(theta))[:, 0],
    )
    for one, row, found in zip(
        theta, weights, model.hessian(theta, weights), strict=True
    ):
        expected = jacrev(jacrev(lambda at, row=row: model.outputs(at[None])[0] @ row))(
            one
        )
        torch.testing.assert_close(found, expected)
