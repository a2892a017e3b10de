"""Expressions as a reader types them: 1/2, 1e-3, 2*eta*x^2, or a list (1, 2).

Numbers, variables, + - * / ^ and the functions below; a list may stand at the top. The
page reads the same grammar with book/_static/checks/expression.js, and a test compares
the two on many expressions.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

LONGEST = 200
NAME, OTHER = 2, 3
TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|[-+*/^(),\[\]]))"
)
GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"),
    *("kappa", "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "_", "sigma"),
    *("tau", "upsilon", "phi", "chi", "psi", "omega"),
)
SIGNS = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "·": "*",
    "²": "^2",
    "³": "^3",
} | {
    chr(ord("\N{GREEK SMALL LETTER ALPHA}") + place): f" {name} "
    for place, name in enumerate(GREEK)
}
CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "abs": (1, abs),
    "arctan": (1, math.atan),
    "cos": (1, math.cos),
    "cosh": (1, math.cosh),
    "exp": (1, math.exp),
    "ln": (1, math.log),
    "log": (1, math.log),
    "log10": (1, math.log10),
    "log2": (1, math.log2),
    "max": (2, max),
    "min": (2, min),
    "sign": (1, lambda x: float((x > 0) - (x < 0))),
    "sin": (1, math.sin),
    "sinh": (1, math.sinh),
    "sqrt": (1, math.sqrt),
    "tan": (1, math.tan),
    "tanh": (1, math.tanh),
}
BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
UNREADABLE = (
    "This cannot be read: write 1/2, 1e-3, sqrt(2) or 2*x^2, with * in products."
)


class NotAnExpression(ValueError):
    """Text outside the grammar; the message says what to do."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression, or a list of them."""

    parts: tuple[ast.expr, ...]

    def at(self, point: Mapping[str, float]) -> list[float]:
        """The values of the parts where the variables have the values of `point`; NaN
        where one is no finite number.
        """
        return [_finite(part, {**CONSTANTS, **point}) for part in self.parts]


def parse(text: str, variables: Collection[str] = ()) -> Expression:
    """Read `text`; raises `NotAnExpression`."""
    source = _python(_tokens(text), variables)
    try:
        body = ast.parse(source, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError):
        raise NotAnExpression(UNREADABLE) from None
    parts = body.elts if isinstance(body, ast.Tuple | ast.List) else [body]
    if not parts or not all(map(_allowed, parts)):
        raise NotAnExpression(UNREADABLE)
    return Expression(tuple(parts))


def _tokens(text: str) -> list[tuple[int, str]]:
    """Pairs of kind (1 number, 2 name, 3 sign) and text."""
    text = "".join(SIGNS.get(sign, sign) for sign in text).strip()
    found, place = [], 0
    while place < len(text) <= LONGEST:
        match = TOKEN.match(text, place)
        if match is None:
            raise NotAnExpression(UNREADABLE)
        found.append((match.lastindex or 0, match[0].strip()))
        place = match.end()
    if not found:
        raise NotAnExpression(UNREADABLE)
    return found


def _python(tokens: list[tuple[int, str]], variables: Collection[str]) -> str:
    """The expression as Python reads it; every name gets an underscore, so that none is
    a keyword.
    """
    words = []
    following = [*(word for _, word in tokens[1:]), ""]
    for (kind, word), after in zip(tokens, following, strict=True):
        if word == "," and after in (")", "]", ""):
            raise NotAnExpression(UNREADABLE)
        if kind == NAME:
            _known(word, called=after == "(", variables=variables)
            words.append(f"_{word}")
        elif kind == OTHER:
            words.append(word.replace("^", "**"))
        else:
            value = float(word)
            words.append(repr(value) if math.isfinite(value) else "1e999")
    return " ".join(words)


def _known(name: str, *, called: bool, variables: Collection[str]) -> None:
    own = name in variables
    if called and (own or name not in FUNCTIONS):
        raise NotAnExpression(f"{name} is no function here: write products with *.")
    if not called and not (own or name in CONSTANTS):
        known = (
            f"the variables are {', '.join(variables)}" if variables else "no name is"
        )
        raise NotAnExpression(f"{name} is not known here; {known}.")


def _allowed(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=float()) | ast.Name():
            return True
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=inner):
            return _allowed(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return _allowed(left) and _allowed(right)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return len(args) == FUNCTIONS[name[1:]][0] and all(map(_allowed, args))
    return False


def _finite(part: ast.expr, names: Mapping[str, float]) -> float:
    try:
        return _value(part, names)
    except (ArithmeticError, ValueError):
        return math.nan


def _value(node: ast.AST, names: Mapping[str, float]) -> float:
    """Raises where this or any value on the way is no finite number."""
    match node:
        case ast.Constant(value=float(value)):
            found = value
        case ast.Name(id=name):
            found = names[name[1:]]
        case ast.UnaryOp(op=op, operand=inner):
            sign = -1 if isinstance(op, ast.USub) else 1
            found = sign * _value(inner, names)
        case ast.BinOp(left=left, op=op, right=right):
            found = BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=args):
            found = FUNCTIONS[name[1:]][1](*(_value(arg, names) for arg in args))
    if not math.isfinite(found):
        raise ArithmeticError
    return found
