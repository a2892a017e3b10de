"""What the tests of several pages share."""

from __future__ import annotations

import pytest

from ibcore.claims import Setting


@pytest.fixture(scope="module")
def verdicts(request):
    """The claims that the test module lists in `CLAIMS`, by their ids, at quick sizes and seed 0."""
    return {
        name: claim.verify(Setting("quick", 0))
        for name, claim in request.module.CLAIMS.items()
    }
