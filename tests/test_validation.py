import math

import numpy as np
import pytest
import torch

from ibcore import validation
from ibcore.validation import InvalidInput


@pytest.mark.parametrize(
    "value",
    [[1, 2], [0.1, 0.2], (0.1, 0.2), 0.1, np.array([1, 2]), np.array([0.1, 0.2]), True],
)
def test_numbers_become_double_precision_unrounded(value):
    tensor = validation.real_tensor("X", value)
    assert tensor.dtype == torch.float64
    np.testing.assert_array_equal(tensor.numpy(), np.asarray(value, dtype=float))


@pytest.mark.parametrize("value", [torch.ones(2), np.ones(2, dtype=np.float32)])
def test_the_precision_of_an_array_is_kept(value):
    assert validation.real_tensor("X", value).dtype == torch.float32


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abc", "X is a str that is no array of numbers"),
        (None, "X is a NoneType"),
        ([[1.0], [2.0, 3.0]], "X is a list"),
        ([1j], "X is complex"),
        ([math.nan, math.inf, 1.0], "X has 2 entries that are NaN or infinite"),
        ([], "X is empty"),
    ],
)
def test_what_is_no_real_array_is_refused(value, message):
    with pytest.raises(InvalidInput, match=message):
        validation.real_tensor("X", value)


def test_dimensions_are_checked():
    with pytest.raises(InvalidInput, match=r"X has shape \(3,\), expected 2 dimension"):
        validation.real_tensor("X", [1, 2, 3], ndim=2)


def test_regression_data():
    X, y = validation.regression_data(np.ones((3, 2), dtype=np.float32), [1, 2, 3])
    assert X.dtype == y.dtype == torch.float32
    assert validation.regression_data(np.ones((3, 2)), np.ones((3, 4)))[1].shape == (
        3,
        4,
    )
    for bad in ([1, 2], np.ones((3, 1, 1))):
        with pytest.raises(InvalidInput, match="target a row of X"):
            validation.regression_data(np.ones((3, 2)), bad)


def test_binary_data():
    X, y = validation.binary_data([[1, 2], [3, 4]], [1, -1])
    assert X.dtype == y.dtype == torch.float64
    assert y.tolist() == [1, -1]
    with pytest.raises(InvalidInput, match=r"values 0, 1; .*2 \* y - 1"):
        validation.binary_data([[1, 2], [3, 4]], [0, 1])
    with pytest.raises(InvalidInput, match="2 rows and y 3 labels"):
        validation.binary_data([[1, 2], [3, 4]], [1, 1, -1])


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_positive_integer_refuses(value):
    with pytest.raises(
        InvalidInput, match=r"n is .*, expected an integer of at least 1"
    ):
        validation.positive_integer("n", value)


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, "3", None])
def test_positive_number_refuses(value):
    with pytest.raises(
        InvalidInput, match=r"a is .*, expected a finite number above 0"
    ):
        validation.positive_number("a", value)


def test_what_is_right_passes():
    assert validation.positive_integer("n", 0, least=0) == 0
    assert validation.positive_number("a", 2) == 2.0
    assert validation.one_of("word", "a", ("a", "b")) == "a"
    assert validation.pick_device("cpu") == torch.device("cpu")


def test_words_and_devices(monkeypatch):
    with pytest.raises(InvalidInput, match="word is 'c', expected one of a, b"):
        validation.one_of("word", "c", iter(("a", "b")))
    with pytest.raises(InvalidInput, match="expected one of auto, cpu, cuda"):
        validation.pick_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert validation.pick_device("auto") == torch.device("cpu")
    with pytest.raises(InvalidInput, match="--device cpu"):
        validation.pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert validation.pick_device("auto") == torch.device("cuda")
