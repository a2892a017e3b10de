import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array, csr_matrix

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


def test_one_target_a_row_where_one_is_asked_for():
    X = [[1.0, 0, 1], [0, 1, 1]]
    assert validation.regression_data(X, [1, 2], single=True)[1].tolist() == [1, 2]
    with pytest.raises(InvalidInput, match=r"y has shape \(2, 1\), expected \(2,\)"):
        validation.regression_data(X, [[1.0], [2.0]], single=True)


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


TABLE = np.array([[2.0, 1.0], [-3.0, 0.5]])


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame(TABLE, columns=["a", "b"], index=[7, 3]),
        pd.DataFrame(TABLE).astype("Float64"),
        pd.DataFrame({"a": [2, -3], "b": [1.0, 0.5]}).astype({"a": "Int64"}),
        TABLE[::-1].copy()[::-1],
        TABLE[:, ::-1].copy()[:, ::-1],
        TABLE.astype(">f8"),
        TABLE.astype(object),
        TABLE.astype(np.float16),
        TABLE.astype(np.longdouble),
        np.broadcast_to(TABLE, TABLE.shape),
        TABLE.tolist(),
        [torch.tensor(row) for row in TABLE],
        [pd.Series(row) for row in TABLE],
        [[Fraction(2), 1], [Decimal(-3), 0.5]],
        torch.tensor(TABLE).half(),
        torch.tensor(TABLE).bfloat16(),
    ],
)
def test_whatever_holds_numbers_is_converted(value):
    tensor = validation.real_tensor("X", value)
    assert tensor.dtype == torch.float64
    np.testing.assert_array_equal(tensor.numpy(), TABLE)


def test_a_series_counts_its_places_and_not_its_index():
    labels = pd.Series([1.0, -1.0], index=[11, 10])
    assert validation.real_tensor("y", labels).tolist() == [1, -1]


@pytest.mark.parametrize("dtype", [">f4", "<f4"])
def test_single_precision_is_kept_in_any_byte_order(dtype):
    tensor = validation.real_tensor("X", TABLE.astype(dtype))
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), TABLE)


def test_what_needs_no_change_is_not_copied():
    array, tensor = TABLE.copy(), torch.ones(2, requires_grad=True)
    assert validation.real_tensor("X", array).data_ptr() == array.ctypes.data
    assert validation.real_tensor("X", tensor) is tensor


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (csr_matrix(TABLE), r"X is a sparse matrix.*X\.toarray\(\)"),
        (csr_array(TABLE), r"X is a sparse matrix.*X\.toarray\(\)"),
        (torch.tensor(TABLE).to_sparse(), r"X is a sparse tensor.*X\.to_dense\(\)"),
        (np.ma.array(TABLE, mask=TABLE > 1), r"X is a masked array.*X\.filled"),
        (TABLE * 1j, "X is complex"),
        (np.array(["a", "b"]), "it holds text"),
        (np.array(["1", "2"], dtype=object), "one of its entries is '1'"),
        (pd.Series(["a", "b"]), "one of its entries is 'a'"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "one of its entries is 'x'"),
        (pd.to_datetime(pd.Series(["2020-01-01"])), "it holds dates"),
        (pd.Series([1, None], dtype="Int64"), "X has 1 entries that are NaN"),
        (pd.Series([1.0, None]), "X has 1 entries that are NaN"),
        ([None, 1.0], "X has 1 entries that are NaN"),
        ({"a": 1}, "X is a dict"),
    ],
)
def test_what_holds_other_things_is_answered_in_words(value, message):
    with pytest.raises(InvalidInput, match=message):
        validation.real_tensor("X", value)


@pytest.mark.parametrize(
    "labels",
    [
        [True, True],
        np.array([True, True]),
        torch.tensor([True, True]),
        pd.Series([True, True]),
        pd.Series([True, True], dtype="boolean"),
    ],
)
def test_truth_values_are_no_labels(labels):
    with pytest.raises(InvalidInput, match="truth values, expected labels -1 and"):
        validation.binary_data(TABLE, labels)


def test_class_labels():
    classes = validation.class_labels("y", pd.Series([0, 2, 1]), 3)
    assert classes.dtype == torch.int64
    assert classes.tolist() == [0, 2, 1]
    for bad in ([0, 3], [-1, 0], [[0, 1]]):
        with pytest.raises(InvalidInput, match="integers from 0 to 2"):
            validation.class_labels("y", bad, 3)
    with pytest.raises(InvalidInput, match="Classes are integers from 0 to 2"):
        validation.class_labels("y", np.array(["a", "b"]), 3)
    with pytest.raises(InvalidInput, match="Classes are integers from 0 to 2"):
        validation.class_labels("y", [0.0, 1.0], 3)


def test_indices_are_integers():
    for value in (torch.tensor([0, 2]), np.array([2, 0])[::-1], pd.Series([0, 2])):
        found = validation.indices("rows", value)
        assert found.dtype == torch.int64
        assert found.tolist() == [0, 2]
    for bad in (np.array([0.0, 1.0]), torch.tensor([True]), np.array(["a"])):
        with pytest.raises(
            InvalidInput, match=r"rows have .*, expected an array of int"
        ):
            validation.indices("rows", bad)


def test_numbers_of_numpy_are_options():
    assert validation.positive_integer("n", np.int64(3)) == 3
    assert validation.positive_number("a", np.float32(0.5)) == 0.5
    assert validation.positive_number("a", np.int8(2)) == 2.0
    assert validation.positive_number("a", math.inf, infinite=True) == math.inf
    assert validation.real_number("a", Fraction(-1, 2)) == -0.5


@pytest.mark.parametrize("value", [True, np.True_, np.nan, "1", None, 1j])
def test_what_is_no_number_is_no_option(value):
    for check in (
        validation.positive_number,
        validation.positive_integer,
        validation.real_number,
    ):
        with pytest.raises(InvalidInput, match=r"a is .*, expected a"):
            check("a", value)


def test_rows_that_coincide_are_named():
    rows = torch.tensor([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0 + 1e-9]]).double()
    with pytest.raises(InvalidInput, match="rows 0 and 2 of X coincide"):
        validation.distinct_rows("X", rows)
    for scale in (1e-9, 1.0, 1e9):
        validation.distinct_rows("X", rows[:2] * scale)
        with pytest.raises(InvalidInput, match="Merge"):
            validation.distinct_rows("X", rows * scale)
