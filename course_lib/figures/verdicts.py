"""Words for what an interval says: whether a difference is clear, and where it is."""

from collections.abc import Iterable, Mapping

from course_lib.evaluation.intervals import Interval


def side(difference: Interval, above: str, below: str, between: str) -> str:
    """The words that fit: the whole interval is above zero, below, or neither."""
    return above if difference.low > 0 else below if difference.high < 0 else between


def apart(one: Interval, other: Interval, above: str, below: str, between: str) -> str:
    """The words that fit: all of `one` is above all of `other`, below, or the intervals touch."""
    gap = Interval(one.mean - other.mean, one.low - other.high, one.high - other.low)
    return side(gap, above, below, between)


def said(difference: Interval, form: str = "+.3f", unclear: str = ", no clear difference") -> str:
    """A difference with its interval, and `unclear` where that contains zero."""
    return format(difference, form) + side(difference, "", "", unclear)


def clear(differences: Mapping[str, Interval]) -> tuple[list[str], list[str]]:
    """The names of the differences that are clearly above zero, and of those clearly below."""
    found = differences.items()
    behind = [name for name, one in found if one.high < 0]
    return [name for name, one in found if one.low > 0], behind


def listed(names: Iterable[object], sep: str = ", ", none: str = "none") -> str:
    """The names in a row, or `none`."""
    return sep.join(map(str, names)) or none
