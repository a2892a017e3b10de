import pytest

from ibcore import selection
from ibcore.claims import PAGES, Claim, all_claims
from ibcore.validation import InvalidInput
from tests.made_up import steps


def made(identifier, page):
    return Claim(identifier, page, "theorem", "", "", {}, **steps(dict))


CLAIMS = {
    claim.id: claim
    for claim in (
        made("first", "start"),
        made("one", "left/same"),
        made("two", "left/same"),
        made("three", "right/same"),
        made("four", "right/other_page"),
        made("start", "right/other_page"),
    )
}


def ids(*names):
    return [claim.id for claim in selection.chosen(names, CLAIMS)]


def test_no_name_chooses_all():
    assert ids() == list(CLAIMS)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["two", "one", "two"], ["two", "one"]),
        (["left/same"], ["one", "two"]),
        (["other_page"], ["four", "start"]),
        (["two", "left/same", "first"], ["two", "one", "first"]),
        (["start"], ["start"]),
    ],
)
def test_names_are_claims_and_pages_each_claim_once(names, found):
    assert ids(*names) == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("same", "several pages. Pass one of left/same, right/same."),
        ("thre", "no claim or page 'thre'. Did you mean three"),
        ("other-page", "Did you mean right/other_page"),
        ("zzzz", "See 'ibcore claims'"),
        ("x" * 900, "text of 900 characters"),
        ("", "no claim or page ''"),
    ],
)
def test_an_ambiguous_or_unknown_name_is_refused(name, told):
    with pytest.raises(InvalidInput) as error:
        ids(name)
    assert told in str(error.value)


def test_every_page_of_the_survey_is_called_by_its_last_part():
    claims = all_claims()
    for page in PAGES:
        for name in (page, page.rpartition("/")[2]):
            assert {one.page for one in selection.chosen([name], claims)} == {page}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("1110020:1110023", [1110020, 1110021, 1110022]),
        ("5,3,5", [5, 3]),
        (f"{2**63 - 1}:{2**63}", [2**63 - 1]),
    ],
)
def test_seeds_are_a_number_a_half_open_range_or_a_list(text, seeds):
    assert list(selection.seeds(text)) == seeds


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "x", "3:3", "5:3", ":", "3:", ":3", "1:2:3", " ", "²", "٣"),
        *("1,", ",", "1,,2", "1,x", "1.5", "1e3", "9" * 5000, str(10**20), "100001"),
        *(f"0:{2**63}", f"0:{2**63 + 1}", str(2**63), f"1,{2**63}"),
    ],
)
def test_what_names_no_seeds_is_refused(text):
    with pytest.raises(InvalidInput) as error:
        selection.seeds(text)
    assert "pass" in str(error.value)
    assert len(str(error.value)) < 300
