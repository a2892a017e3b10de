"""The tests that all claims of a page share are made once a claim."""

from __future__ import annotations

from tests.conformance import Conformance


def pytest_generate_tests(metafunc):
    shared = metafunc.cls is not None and issubclass(metafunc.cls, Conformance)
    if shared and "name" in metafunc.fixturenames:
        metafunc.parametrize("name", metafunc.module.CLAIMS)
