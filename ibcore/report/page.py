"""Verdicts as a table of a page: HTML with typeset statements, readable on a phone and
by a screen reader.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping
from importlib.resources import files

from ibcore.claims import Claim, Verdict
from ibcore.evidence import Check
from ibcore.report.text import measured, outcome, required, tally

_FORMULA = re.compile(r"\$([^$]+)\$")
_POWER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?\d+)")
_HEADS = ("", "what must hold", "measured", "required", "")


def verdicts_html(verdicts: tuple[Verdict, ...]) -> str:
    """One table a claim."""
    return _framed("".join(map(table_html, verdicts)))


def summary_html(verdicts: tuple[Verdict, ...]) -> str:
    """One row a claim."""
    rows = "".join(
        "<tr "
        f"id='{anchor(verdict.claim)}'>{_mark(verdict.stands, 'stands', 'does not stand')}<th "
        f"scope='row'><code>{html.escape(verdict.claim.id)}</code> "
        f"{typeset(verdict.claim.statement)}</th><td "
        f"data-label='checks:'>{tally(verdict)}</td><td "
        f"data-label='control:'>{_refuted(verdict)}</td></tr>"
        for verdict in verdicts
    )
    head = "".join(
        f"<th scope='col'>{name}</th>" for name in ("", "claim", "checks", "control")
    )
    return _framed(
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def anchor(claim: Claim) -> str:
    """The name by which other pages link to the line on a claim that closes its page."""
    return f"claim-{claim.id}"


def _refuted(verdict: Verdict) -> str:
    return "refuted" if verdict.evidence.control.refuted else "NOT REFUTED"


def typeset(text: str) -> str:
    """Words with formulas between dollar signs as HTML that MathJax reads."""
    parts = _FORMULA.split(text)
    return "".join(
        _formula(part) if number % 2 else html.escape(part)
        for number, part in enumerate(parts)
    )


def number(text: str) -> str:
    """Text with numbers such as 1e-05 written as powers of ten."""
    parts, end = [], 0
    for found in _POWER.finditer(text):
        mantissa, exponent = found.groups()
        factor = "" if mantissa == "1" else rf"{mantissa} \cdot "
        parts += [
            html.escape(text[end : found.start()]),
            _formula(f"{factor}10^{{{int(exponent)}}}"),
        ]
        end = found.end()
    return "".join([*parts, html.escape(text[end:])])


def _formula(tex: str) -> str:
    return rf'<span class="math notranslate nohighlight">\({html.escape(tex, quote=False)}\)</span>'


def _framed(body: str) -> str:
    return f'<div class="ibv"><style>{style()}</style>{body}</div>'


@functools.cache
def style() -> str:
    """The style sheet of tables of verdicts."""
    return (files("ibcore.report") / "static" / "verdicts.css").read_text(
        encoding="utf-8"
    )


def table_html(verdict: Verdict) -> str:
    """The checks and the control of a claim, bare: what holds it has the class `ibv`, and
    its page the `style`.
    """
    evidence, claim = verdict.evidence, verdict.claim
    name = f"<code>{html.escape(claim.id)}</code> ({claim.kind})"
    caption = f"{name} <strong>{outcome(verdict)}</strong>: {tally(verdict)}"
    head = "".join(
        f"<th scope='col'>{name or _hidden('outcome' if not k else 'kind')}</th>"
        for k, name in enumerate(_HEADS)
    )
    rows = "".join(_check(check) for check in evidence.checks) + _control(verdict)
    reasons = [check.reason for check in (*evidence.checks, evidence.control.failure)]
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        + _broken(evidence.broken)
        + _notes(evidence.notes)
        + _why(reasons)
    )


def _check(check: Check) -> str:
    return (
        f"<tr>{_mark(check.holds, 'holds', 'fails')}<th "
        f"scope='row'>{typeset(check.math or check.name)}</th>{_numbers(check)}<td "
        f"class='ibv-tag'>{check.tag}</td></tr>"
    )


def _control(verdict: Verdict) -> str:
    control = verdict.evidence.control
    broken = typeset(control.math or control.name)
    failure = typeset(control.failure.math or control.failure.name)
    words = (
        "the prediction fails, as it must"
        if control.refuted
        else "the prediction should fail here and does not"
    )
    return (
        "<tr "
        f"class='ibv-control'>{_mark(control.refuted, 'refuted', 'not refuted')}<th "
        f"scope='row'><strong>Control:</strong> {broken}. Here {words}: "
        f"{failure}</th>{_numbers(control.failure)}<td "
        "class='ibv-tag'>control</td></tr>"
    )


def _numbers(check: Check) -> str:
    median = "" if check.typical is None else f", median {check.typical:.2g}"
    return (
        "<td class='ibv-number' "
        f"data-label='measured'>{number(measured(check) + median)}</td><td "
        f"class='ibv-number' data-label='required'>{number(required(check))}</td>"
    )


def _mark(good: bool, yes: str, no: str) -> str:  # noqa: FBT001
    sign, word, style = ("✓", yes, "") if good else ("✗", no, " ibv-fails")
    return f"<td class='ibv-mark{style}'><span aria-hidden='true'>{sign}</span>{_hidden(word)}</td>"


def _hidden(word: str) -> str:
    return f"<span class='ibv-hidden'>{word}</span>"


def _broken(reasons: tuple[str, ...]) -> str:
    if not reasons:
        return ""
    return f"<p>{len(reasons)} broke down and count as failing: {html.escape('; '.join(reasons))}</p>"


def _notes(notes: Mapping[str, float | int | str]) -> str:
    """Counts that a reader must know."""
    if not notes:
        return ""
    counts = "; ".join(
        f"{typeset(name)}: "
        f"{number(f'{value:.4g}' if isinstance(value, float) else str(value))}"
        for name, value in notes.items()
    )
    return f"<p class='ibv-notes'>{counts}</p>"


def _why(reasons: list[str]) -> str:
    """Where the bars come from, in the order of the rows, folded."""
    if not any(reasons):
        return ""
    items = "".join(f"<li>{typeset(reason)}</li>" for reason in reasons)
    return f"<details class='ibv-why'><summary>Why these bars</summary><ol>{items}</ol></details>"
