"""Arithmetic on what somebody wrote: read by Python's grammar, reckoned by a table of operators."""

from __future__ import annotations

import ast
import math
import operator
import re
import statistics
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal

from llava_plus.errors import SkillError
from llava_plus.skills import Number, skill
from llava_plus.syntax import steadily

_Plain = int | float

_LONGEST = 200  # letters
_LARGEST = 1e15  # soon after it a float no longer holds every whole number
_DIGITS = 10  # shown: what goes wrong in binary fractions stands behind them
_TOKEN = re.compile(
    r"\s*([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+|[A-Za-z_]\w*|\*\*|//|[-+*/%(),])"
)
_SIGNS: dict[str, str | int | None] = {
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
    "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
    "^": "**",
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


def _power(base: _Plain, exponent: _Plain) -> _Plain:
    if abs(base) > 1 and exponent * math.log10(abs(base)) > math.log10(_LARGEST) + 1:
        raise OverflowError
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("a root of a negative number")
    return result


def _round(number: _Plain, digits: _Plain = 0) -> _Plain:
    """Round halves away from zero, as people do."""
    if digits != int(digits) or abs(digits) > 15:
        raise ValueError(f"round takes -15 to 15 digits, got {digits:g}")
    step = Decimal(1).scaleb(-int(digits))
    return float(Decimal(repr(number)).quantize(step, ROUND_HALF_UP, Context(prec=60)))


_OPERATORS: dict[type[ast.operator] | type[ast.unaryop], Callable[..., _Plain]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., _Plain]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "hypot": math.hypot,
    "ln": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": lambda *numbers: max(numbers),
    "mean": lambda *numbers: statistics.fmean(numbers),
    "min": lambda *numbers: min(numbers),
    "round": _round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "sum": lambda *numbers: sum(numbers),
    "tan": math.tan,
}


@skill(examples=("what is 3 times 19.99", "how much is 15 % of 80", "the mean of 4, 8 and 15"))
def calculate(expression: str) -> Number:
    """Work out an arithmetic expression such as "3 * 19.99" or "sqrt(2) * (7 - 4)".

    It takes + - * / // (whole division) % (remainder) ** (power), brackets, pi, e and abs, ceil,
    cos, exp, floor, hypot, ln, log10, log2, max, mean, min, round, sin, sqrt, sum, tan; angles are
    in radians. Write 15 % of 80 as 0.15 * 80, and numbers without thousands separators. Numbers
    up to 10**15 are reckoned; ten digits of the result are shown.

    Args:
        expression: Numbers, operators and functions, at most 200 characters.
    """
    tree = _parsed(expression)
    try:
        result = float(_value(tree))
    except ZeroDivisionError as error:
        raise SkillError(_complaint(expression, "it divides by zero. Check it")) from error
    except OverflowError as error:
        raise SkillError(
            _complaint(expression, "a number in it is beyond 10**15. Take smaller ones")
        ) from error
    except (ValueError, TypeError, ArithmeticError) as error:
        raise SkillError(_complaint(expression, f"{error}. Write it otherwise")) from error
    return Number(result + 0.0, digits=_DIGITS)  # 0.0 makes 0 of -0


def _parsed(expression: str) -> ast.expr:
    """Check every word before Python's parser sees it."""
    if len(expression) > _LONGEST:
        raise SkillError(
            f"calculate: the expression has {len(expression)} characters, at most {_LONGEST} "
            "are taken. Calculate it in parts."
        )
    words = _words(expression.translate(str.maketrans(_SIGNS)))
    try:
        return steadily(lambda: ast.parse(" ".join(words), mode="eval")).body
    except (SyntaxError, RecursionError, MemoryError) as error:
        hint = "Check operators and brackets; write 15 % of 80 as 0.15 * 80"
        raise SkillError(_complaint(expression, f"it is not arithmetic. {hint}")) from error


def _words(text: str) -> list[str]:
    """Cut into numbers, signs and known names, or say what is none of these."""
    text, words, place = text.strip(), [], 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        word = found[1] if found else text[place:].split()[0]
        if not found or ((word[0].isalpha() or word[0] == "_") and not _known(word)):
            names = ", ".join(sorted([*_FUNCTIONS, *_CONSTANTS]))
            raise SkillError(
                f"calculate: {word[:40]!r} is no number, operator or function. "
                f"Use + - * / // % ** ( ) and {names}."
            )
        words.append(word)
        place = found.end()
    if not words:
        raise SkillError('calculate: the expression is empty. Give one such as "3 * 19.99".')
    return words


def _known(word: str) -> bool:
    return word in _FUNCTIONS or word in _CONSTANTS


def _value(node: ast.expr) -> _Plain:
    """Reckon one node; what is not in the tables is refused."""
    match node:
        case ast.Constant(value=int() | float() as number):
            result: _Plain = number
        case ast.Name(id=name) if name in _CONSTANTS:
            result = _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=one) if type(op) in _OPERATORS:
            result = _OPERATORS[type(op)](_value(one))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            result = _OPERATORS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            result = _FUNCTIONS[name](*map(_value, args))
        case ast.Tuple():
            raise ValueError("write 1234.5 with a point and without a comma")
        case _:
            raise ValueError(f"{ast.unparse(node)[:40]!r} is not arithmetic")
    if abs(result) > _LARGEST:
        raise OverflowError
    return result


def _complaint(expression: str, why: str) -> str:
    return f"calculate: cannot work out {expression.strip()!r}: {why}."
