"""Patterns of decimal numbers between limits."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

LARGEST = 9999  # where there is no limit


def integer_pattern(low: float | None, high: float | None) -> str:
    """A pattern of the whole numbers from ``low`` to ``high``, as JSON writes them."""
    least, most = _whole(low, -LARGEST, ROUND_CEILING), _whole(high, LARGEST, ROUND_FLOOR)
    most = max(least, most)
    ways = []
    if least < 0:
        ways += [f"-({_between(max(1, -most), -least)})"]
    if most >= 0:
        ways += [_between(max(0, least), most)]
    return "|".join(ways)


def number_pattern(low: float | None, high: float | None) -> str:
    """A pattern of the numbers from ``low`` to ``high`` with up to two decimals.

    Decimals are written as Python writes them: no zeros at the end, but for ``1.0``.
    """
    least = _hundredths(low, -LARGEST, ROUND_CEILING)
    most = max(least, _hundredths(high, LARGEST, ROUND_FLOOR))
    ways = []
    if least < 0:
        ways += [f"-({_decimals(max(1, -most), -least)})"]
    if most >= 0:
        ways += [_decimals(max(0, least), most)]
    return "|".join(ways)


def _whole(limit: float | None, default: int, rounding: str) -> int:
    return int(Decimal(str(default if limit is None else limit)).to_integral_value(rounding))


def _hundredths(limit: float | None, default: int, rounding: str) -> int:
    scaled = Decimal(str(default if limit is None else limit)) * 100
    return int(scaled.to_integral_value(rounding))


def _decimals(least: int, most: int) -> str:
    """Numbers between two counts of hundredths, neither of them negative."""
    (first, rest), (last, end) = divmod(least, 100), divmod(most, 100)
    if first == last:
        return _with_fraction(str(first), rest, end)
    ways = [_with_fraction(str(first), rest, 99)] if rest else []
    start = first + 1 if rest else first
    stop = last if end == 99 else last - 1
    if start <= stop:
        ways.append(rf"({_between(start, stop)})(\.(0|[0-9]?[1-9]))?")
    if end != 99:
        ways.append(_with_fraction(str(last), 0, end))
    return "|".join(ways)


def _with_fraction(whole: str, least: int, most: int) -> str:
    """One whole number with every fraction between two counts of hundredths."""
    ways = [f"{n // 10}" if n % 10 == 0 else f"{n:02d}" for n in range(least, most + 1)]
    fraction = rf"\.({'|'.join(ways)})"
    return f"{whole}({fraction})?" if least == 0 else f"{whole}{fraction}"


def _between(least: int, most: int) -> str:
    """Whole numbers from ``least`` to ``most``, neither of them negative."""
    ways = []
    for length in range(len(str(least)), len(str(most)) + 1):
        low = max(least, 10 ** (length - 1) if length > 1 else 0)
        high = min(most, 10**length - 1)
        ways.append(_same_length(str(low), str(high)))
    return "|".join(ways)


def _same_length(low: str, high: str) -> str:
    """Digit strings between two of the same length."""
    if not low:
        return ""
    if low == "0" * len(low) and high == "9" * len(high):
        return "[0-9]" * len(low)
    if low[0] == high[0]:
        return low[0] + _group(_same_length(low[1:], high[1:]))
    rest = len(low) - 1
    ways = [low[0] + _group(_same_length(low[1:], "9" * rest))]
    if (first := int(low[0]) + 1) <= (last := int(high[0]) - 1):
        ways.append(f"[{first}-{last}]" + "[0-9]" * rest)
    ways.append(high[0] + _group(_same_length("0" * rest, high[1:])))
    return "|".join(ways)


def _group(pattern: str) -> str:
    return f"({pattern})" if "|" in pattern else pattern
