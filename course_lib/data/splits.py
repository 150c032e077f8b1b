"""Train, validation and test parts that do not depend on the order of the data."""

import hashlib
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Splits(NamedTuple, Generic[T]):
    """The three parts of a data set."""

    train: list[T]
    validation: list[T]
    test: list[T]


def hash_fraction(key: str) -> float:
    """Map `key` to a number in [0, 1) that looks random but never changes.

    Python's own `hash` differs from process to process; SHA-256 does not.
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def part(key: str, held_out: float = 0.05) -> str:
    """Return "test", "validation" (each with probability `held_out`) or "train" for `key`."""
    fraction = hash_fraction(key)
    if fraction < held_out:
        return "test"
    return "validation" if fraction < 2 * held_out else "train"


def by_key(items: list[T], keys: list[str]) -> Splits[T]:
    """Split `items` by the hash of their keys: equal keys always land in the same part."""
    splits: Splits[T] = Splits([], [], [])
    for item, key in zip(items, keys, strict=True):
        getattr(splits, part(key)).append(item)
    return splits
