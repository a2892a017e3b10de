import re

import pytest

from ibcore import sizes
from ibcore.claims import Claim
from ibcore.validation import InvalidInput
from tests.made_up import steps

KNOWN = {
    "problems": 8,
    "scale": 0.5,
    "widths": [30, 100],
    "scales": (1, 0.1),
    "shapes": ((5, 4),),
    "sparse": False,
    "order": "first",
}
CLAIM = Claim("a-claim", "a/page", "theorem", "", "", {"quick": KNOWN}, **steps(dict))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("problems=20", 20),
        (" problems = 20 ", 20),
        ("scale=2", 2.0),
        ("scale=1e-3", 1e-3),
        ("widths=10", [10]),
        ("widths=10,20", [10, 20]),
        ("widths=(10,20)", [10, 20]),
        ("scales=2,1e-16", (2.0, 1e-16)),
        ("shapes=(5,4),(6,5)", ((5, 4), (6, 5))),
        ("shapes=((6,5),)", ((6, 5),)),
        ("sparse=True", True),
        ("order=last", "last"),
    ],
)
def test_a_size_has_the_type_that_its_claim_has(text, value):
    name = text.partition("=")[0].strip()
    found = sizes.fitting(CLAIM, "quick", sizes.parsed([text]))
    assert found == {name: value}
    assert repr(found[name]) == repr(value)


def test_sizes_that_the_preset_has_are_left_out():
    texts = ["problems=8", "scale=0.5", "widths=30,100", "shapes=(5,4),"]
    assert sizes.fitting(CLAIM, "quick", sizes.parsed(texts)) == {}


def test_lists_become_tuples_again_after_json():
    found = sizes.fitting(CLAIM, "quick", {"shapes": [[6, 5]], "scales": [2]})
    assert found == {"shapes": ((6, 5),), "scales": (2.0,)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("problems=2.5", "problems has the value 2.5, expected a whole number, such as 8"),
        ("problems=True", "whole number"),
        ("problems=1,2", "whole number"),
        ("problems=", "whole number"),
        ("problems=10**6", "the value '10**6'"),
        ("problems=__import__('os')", "whole number"),
        ("problems=" + "9" * 9000, "..."),
        ("scale=1e999", "a finite number"),
        ("scale=nan", "a finite number"),
        ("scale=1j", "a finite number"),
        ("widths=10,2.5", "the value 2.5, expected a whole number, such as 30"),
        ("widths=()", "one or several values"),
        ("shapes=()", "one or several values"),
        ("shapes=((),)", "one or several values"),
        ("sparse=1", "True or False"),
        ("order=3", "text"),
        ("problem=3", "no size problem; its sizes are problems, scale,"),
        ("problem=3", "Did you mean problems?"),
        ("=3", "pass name=value"),
        ("problems", "pass name=value"),
        ("a b=3", "pass name=value"),
    ],
)  # fmt: skip
def test_what_is_refused(text, told):
    with pytest.raises(InvalidInput, match=re.escape(told)):
        sizes.fitting(CLAIM, "quick", sizes.parsed([text]))


def test_a_size_is_given_once():
    with pytest.raises(InvalidInput, match="given twice"):
        sizes.parsed(["problems=2", "problems=3"])
