"""Parts and orders that look random but depend on the items alone, not on their order."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Splits(NamedTuple, Generic[T]):
    """The three parts of a data set."""

    train: list[T]
    validation: list[T]
    test: list[T]


class TextTask(NamedTuple, Generic[T]):
    """Texts for training and judging, as chapters 09 to 11 use them; no source is in two parts.

    Attributes:
        labeled: training texts, the labels in turn, in an order drawn by a seed. The first n of
            them are the labeled set of size n, so a smaller set is part of a larger one.
        validation: for choosing rates and numbers of steps.
        test: looked at once, at the end. The same for every seed, as is `validation`.
        unlabeled: all training texts without labels, in another order drawn by the seed.
    """

    labeled: list[T]
    validation: list[T]
    test: list[T]
    unlabeled: Sequence[str] = ()


def hash_fraction(key: str) -> float:
    """Map `key` to a number in [0, 1) that looks random but never changes.

    Python's own `hash` differs from process to process; SHA-256 does not.
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def by_key(items: list[T], keys: list[str]) -> Splits[T]:
    """Split by the hash of the keys, 5% each to test and validation; equal keys stay together."""
    splits: Splits[T] = Splits([], [], [])
    for item, key in zip(items, keys, strict=True):
        fraction = hash_fraction(key)
        part = splits.test if fraction < 0.05 else splits.validation
        (part if fraction < 0.1 else splits.train).append(item)
    return splits


def shuffled(items: Iterable[T], key: Callable[[T], str]) -> list[T]:
    """The items in the order of the hashes of their keys."""
    return sorted(items, key=lambda item: hash_fraction(key(item)))


def in_turn(items: list[T], label: Callable[[T], Hashable], labels: Iterable[Hashable]) -> list[T]:
    """As many items of each of the labels as of the rarest one, one label after the other."""
    by_label = ([item for item in items if label(item) == one] for one in labels)
    return [item for row in zip(*by_label, strict=False) for item in row]
