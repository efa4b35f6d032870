"""Formulas of tables: ``voltage * current``, ``sqrt(x * x + y * y)``, ``status == 3 and fault == 0``.

Numbers, names, + - * / // %, & | >>, comparisons, and or not, if else, and a few functions; nothing else, no power
and no shift to the left, so that none takes long or makes a number without end.  What a formula gives is decided by its
text alone.
"""

from __future__ import annotations

import ast
import math
import operator as op
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from drivers.api import BadValue

LONGEST = 200  # characters
Scope: TypeAlias = Mapping[str, Any]  # numbers and flags by name
Part: TypeAlias = Callable[[Scope], Any]

BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    **{ast.Add: op.add, ast.Sub: op.sub, ast.Mult: op.mul, ast.Div: op.truediv, ast.FloorDiv: op.floordiv},
    **{ast.Mod: op.mod, ast.BitAnd: op.and_, ast.BitOr: op.or_, ast.RShift: op.rshift},
}
UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {ast.USub: op.neg, ast.UAdd: op.pos, ast.Not: op.not_}
COMPARED: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    **{ast.Eq: op.eq, ast.NotEq: op.ne, ast.Lt: op.lt, ast.LtE: op.le, ast.Gt: op.gt, ast.GtE: op.ge},
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{"abs": abs, "min": min, "max": max, "round": round, "sqrt": math.sqrt, "exp": math.exp, "log": math.log},
}


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A checked formula; *names* are those it needs."""

    text: str
    names: frozenset[str]
    part: Part

    def __call__(self, scope: Scope) -> Any:
        """What it gives; BadValue where it has no value, such as a division by zero."""
        try:
            return self.part(scope)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise BadValue(f"{self.text}: {error}") from None


def formula(text: str) -> Formula:
    """The formula that *text* is; ValueError with what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"a formula has at most {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"no formula: {getattr(error, 'msg', error)}") from None
    names = set[str]()
    part = made(tree, names)
    return Formula(text, frozenset(names), part)


def made(node: ast.AST, names: set[str]) -> Part:
    """The part of a formula that *node* is; its names are added to *names*."""
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return lambda scope: value
        case ast.Name(id=name):
            names.add(name)
            return lambda scope: scope[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in UNARY:
            one, apply = made(inner, names), UNARY[type(sign)]
            return lambda scope: apply(one(scope))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            a, b, join = made(left, names), made(right, names), BINARY[type(sign)]
            return lambda scope: join(a(scope), b(scope))
        case ast.BoolOp(op=sign, values=values):
            parts, every = [made(value, names) for value in values], isinstance(sign, ast.And)
            return lambda scope: (all if every else any)(bool(part(scope)) for part in parts)
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in COMPARED:
            a, b, compare = made(left, names), made(right, names), COMPARED[type(sign)]
            return lambda scope: compare(a(scope), b(scope))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            asked, yes, no = (made(each, names) for each in (test, body, orelse))
            return lambda scope: yes(scope) if asked(scope) else no(scope)
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as given, keywords=[]) if name in FUNCTIONS:
            parts, function = [made(each, names) for each in given], FUNCTIONS[name]
            return lambda scope: function(*(part(scope) for part in parts))
    raise ValueError(f"`{ast.unparse(node)}` is nothing that a formula may hold")
