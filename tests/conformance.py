"""What every claim of a page promises, as a class that the test of the page inherits,
and what such tests share.
"""

from __future__ import annotations

from ibcore import measured


def falls(checks):
    """Places of the checks that fail."""
    return [k for k, check in enumerate(checks) if not check.holds]


def outcome(evidence):
    """Places of the checks that fail, and whether the control is refuted."""
    return falls(evidence.checks), evidence.control.refuted


class Conformance:
    """A subclass stands in a module that lists claims in `CLAIMS` by their ids; each
    test is made for each `name`.
    """

    def test_claims_hold_and_controls_are_refuted(self, verdicts, name):
        evidence = verdicts[name].evidence
        assert [check for check in evidence.checks if not check.holds] == []
        assert evidence.control.refuted

    def test_a_measurement_is_judged_the_same_after_it_was_saved(
        self, verdicts, request, name, tmp_path
    ):
        verdict = verdicts[name]
        measured.save(verdict.measured, tmp_path / "measured.pt")
        loaded = measured.load(tmp_path / "measured.pt")
        claim = request.module.CLAIMS[name]
        assert claim.judge(loaded) == verdict.evidence


class UnbrokenConformance(Conformance):
    """The same where no run may break down."""

    def test_no_run_breaks_down(self, verdicts, name):
        assert verdicts[name].evidence.broken == ()
