"""The small changes of a module from which mutants are drawn: `sites` lists them,
`mutated` makes one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CONNECTIVES = {ast.And: ast.Or, ast.Or: ast.And}
PAIRS = (("min", "max"), ("amin", "amax"), ("minimum", "maximum"), ("sum", "mean"))
CALLS = {**dict(PAIRS), **{second: first for first, second in PAIRS}}
BARS = {"at_most": "at_least", "at_least": "at_most"}
SAID = {"name", "reason", "math", "tag", "title", "repeats"}
NUMBERS = {"float", "int", "Tensor", "torch.Tensor", "np.ndarray"}


@dataclass(frozen=True)
class Site:
    """A node that can change: the `place`-th of a field of `parent` (None if the field
    is no list), what stands there after the change, and the function around it.
    """

    parent: ast.AST
    field: str
    place: int | None
    before: ast.AST
    after: ast.AST
    function: str

    @property
    def change(self) -> str:
        """In words; a number is shown with what stands around it, if that is short."""
        before, after = ast.unparse(self.before), ast.unparse(self.after)
        if isinstance(self.before, ast.Constant):
            around = ast.unparse(self.parent)
            if len(around) <= 60 and "\n" not in around:
                self.make()
                before, after = around, ast.unparse(self.parent)
                self.make(self.before)
        return " ".join(f"{before} -> {after}".split())

    def make(self, node: ast.AST | None = None) -> None:
        """Put `node`, or what stands there after the change, into the tree."""
        value = self.after if node is None else node
        if self.place is None:
            setattr(self.parent, self.field, value)
        else:
            getattr(self.parent, self.field)[self.place] = value


def sites(tree: ast.Module) -> Iterator[Site]:
    """All changes of a module, always in the same order."""
    indices = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for part in getattr(node.slice, "elts", [node.slice])
    }
    yield from _below(tree, (), "", indices)


def _below(
    parent: ast.AST, names: tuple[str, ...], returns: str | None, indices: set[int]
) -> Iterator[Site]:
    """The changes below a node; returns: what the function around it is annotated to
    return, "" outside of functions.
    """
    for field, place, node in _children(parent):
        if _left_out(parent, field, node):
            continue
        inner, annotated = names, returns
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner = (*names, node.name)
        if isinstance(node, ast.FunctionDef):
            annotated = ast.unparse(node.returns) if node.returns else None
        elif returns != "":
            where, is_index = ".".join(names), id(node) in indices
            for other in chain(
                _changes(node),
                _renamed(node),
                _numbered(node, is_index),
                _negated(node, returns),
            ):
                yield Site(parent, field, place, node, other, where)
        if not (id(node) in indices and _index(node) is not None):
            yield from _below(node, inner, annotated, indices)


def _children(parent: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(parent):
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for place, node in enumerate(value):
                if isinstance(node, ast.AST):
                    yield field, place, node


def _left_out(parent: ast.AST, field: str, node: ast.AST) -> bool:
    if isinstance(parent, ast.FunctionDef | ast.Lambda) and field != "body":
        return True
    if field in ("annotation", "decorator_list", "msg"):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in SAID or _of_time(node.arg or "")
    if isinstance(node, ast.Assign):
        return any(_of_time(ast.unparse(target)) for target in node.targets)
    return isinstance(node, ast.JoinedStr | ast.Raise)


def _of_time(name: str) -> bool:
    return "seconds" in name or "timeout" in name


def _index(node: ast.AST) -> int | None:
    """0 or -1 if the node says so."""
    text = ast.unparse(node) if isinstance(node, ast.expr) else ""
    return int(text) if text in ("0", "-1") else None


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    match node:
        case ast.Compare(left, operators, others):
            for place, operator in enumerate(operators):
                for other in COMPARISONS[type(operator)]:
                    changed = [*operators[:place], other(), *operators[place + 1 :]]
                    yield ast.Compare(left, changed, others)
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            if not (_is_text(left) or _is_text(right)):
                yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.AugAssign(target, operator, value) if type(operator) in OPERATORS:
            yield ast.AugAssign(target, OPERATORS[type(operator)](), value)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(CONNECTIVES[type(operator)](), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand


def _numbered(node: ast.AST, is_index: bool) -> Iterator[ast.AST]:  # noqa: FBT001
    """Another index, or another number."""
    match node:
        case _ if is_index and _index(node) is not None:
            yield ast.parse("-1" if _index(node) == 0 else "0", mode="eval").body
        case ast.Constant(value) if type(value) in (int, float):
            doubled = isinstance(value, float) and value != 0
            yield ast.Constant(2 * value if doubled else value + 1)


def _renamed(node: ast.AST) -> Iterator[ast.AST]:
    """A bar on the other side, another function of the same kind, no absolute value."""
    match node:
        case ast.keyword(arg, value) if arg in BARS:
            yield ast.keyword(BARS[arg], value)
        case ast.Call(ast.Name(name), given, named) if name in ("min", "max"):
            yield ast.Call(ast.Name(CALLS[name]), given, named)
        case ast.Call(ast.Name("abs"), given):
            yield given[0]
        case ast.Call(ast.Attribute(owner, "abs"), given):
            yield given[0] if given else owner
        case ast.Call(ast.Attribute(owner, name), given, named) if name in CALLS:
            yield ast.Call(ast.Attribute(owner, CALLS[name]), given, named)


def _negated(node: ast.AST, returns: str | None) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return) and node.value is not None:
        if returns == "bool":
            yield ast.Return(ast.UnaryOp(ast.Not(), node.value))
        elif returns in NUMBERS:
            yield ast.Return(ast.UnaryOp(ast.USub(), node.value))


def _is_text(node: ast.AST) -> bool:
    texts = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return texts or isinstance(node, ast.JoinedStr)


def mutated(source: str, number: int) -> str:
    """A module with the `number`-th of its changes."""
    tree = ast.parse(source)
    next(site for place, site in enumerate(sites(tree)) if place == number).make()
    return ast.unparse(tree)
