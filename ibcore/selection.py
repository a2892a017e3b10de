"""What the words of a command line choose: claims by name or page, and seeds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from ibcore.claims import Claim
from ibcore.validation import InvalidInput

SEEDS = 2**63  # what every reader of JSON and every generator takes
MOST = 100_000  # seeds of one run


def chosen(names: Iterable[str], claims: Mapping[str, Claim]) -> list[Claim]:
    """The claims that `names` call, each once: the id of a claim, or the path of a page
    or its last part.

    All of them where there is no name. Raises `InvalidInput` for a name that calls
    nothing or several pages.
    """
    found: dict[str, Claim] = {}
    for name in names:
        found |= {claim.id: claim for claim in _called(name, claims)}
    return list((found or claims).values())


def _called(name: str, claims: Mapping[str, Claim]) -> list[Claim]:
    if name in claims:
        return [claims[name]]
    pages = list(dict.fromkeys(claim.page for claim in claims.values()))
    called = [page for page in pages if page == name] or [
        page for page in pages if page.rpartition("/")[2] == name
    ]
    if len(called) > 1:
        raise InvalidInput(
            f"{name!r} is the name of several pages. Pass one of {', '.join(called)}."
        )
    if not called:
        raise InvalidInput(_unknown(name, [*claims, *pages]))
    return [claim for claim in claims.values() if claim.page == called[0]]


def _unknown(name: str, known: Sequence[str]) -> str:
    """There is nothing of this name; a page is near where its last part is."""
    full = {entry.rpartition("/")[2]: entry for entry in reversed(known)}
    near = difflib.get_close_matches(name, [*known, *full], n=6, cutoff=0.4)
    names = list(dict.fromkeys(full.get(one, one) for one in near))[:3]
    hint = (
        f"Did you mean {', '.join(names)}?"
        if names
        else "See 'ibcore claims' for all of them."
    )
    return f"there is no claim or page {_short(name)}. {hint}"


def seed(text: str) -> int:
    """A seed in decimal digits."""
    if not _whole(text) or int(text) >= SEEDS:
        raise InvalidInput(
            f"{_short(text)} is no seed; pass an integer from 0 to {SEEDS - 1}"
        )
    return int(text)


def seeds(text: str) -> Sequence[int]:
    """The seeds 0 to N - 1 for `N`, A to B - 1 for `A:B`, or those of a list with
    commas, each once.

    Raises `InvalidInput` for another form, for none and for more than 100,000.
    """
    if "," in text:
        listed: Sequence[int] = list(dict.fromkeys(map(seed, text.split(","))))
        return _few(text, listed)
    first, colon, end = text.rpartition(":")
    first = first if colon else "0"
    if not (_whole(first) and _whole(end)) or int(end) > SEEDS:
        raise InvalidInput(
            f"{_short(text)} names no seeds; pass N for the seeds 0 to N - 1, A:B for "
            f"A to B - 1, or a list such as 3,5,8, of integers below {SEEDS}"
        )
    return _few(text, range(int(first), int(end)))


def _few(text: str, named: Sequence[int]) -> Sequence[int]:
    if not named or named[:MOST] != named:
        raise InvalidInput(
            f"{_short(text)} names {'more' if named else 'none'}; pass at least one "
            f"seed and at most {MOST}"
        )
    return named


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 30


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"a text of {len(text)} characters"
