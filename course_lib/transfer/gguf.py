"""GGUF, the file of llama.cpp: what a model is, its tokenizer and its weights, in one place.

    "GGUF", version, number of tensors, number of values
    values    name, type, value            sizes and tokenizer; a list may hold 49,152 words
    tensors   name, sizes, type, offset
    data      each tensor at its offset, behind the next multiple of 32 bytes

All little-endian. Weights come in blocks of 32 numbers that share a scale, so that one number takes
little more than 4 or 8 bits. We read the three types that our one file has. (The `gguf` package
reads all of them; it makes an object of every word of the vocabulary, in half a minute and one and
a half times the memory. The tests hold that both read the same.)
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

STRING, LIST = 8, 9
SCALARS = dict(enumerate("B b H h I i f ?".split())) | {10: "Q", 11: "q", 12: "d"}


class GGUF(NamedTuple):
    """`values`: name → number, text or list of them; `tensors`: name → float32."""

    values: dict[str, Any]
    tensors: dict[str, Tensor]


def _numbers(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f4").copy()


def _eight_bits(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 34)  # a scale in 16 bits, 32 whole numbers
    return blocks[:, 2:].view(np.int8) * blocks[:, :2].view("<f2").astype(np.float32)


def _four_bits(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 20)  # scale and smallest value in 16 bits, 32 times 0 to 15
    scale, smallest = blocks[:, :4].view("<f2").astype(np.float32).T[..., None]
    steps = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    return steps * scale + smallest


# type: bytes and numbers of a block, how to read it
KINDS: dict[int, tuple[int, int, Callable[[np.ndarray], np.ndarray]]] = {
    0: (4, 1, _numbers),  # F32
    3: (20, 32, _four_bits),  # Q4_1
    8: (34, 32, _eight_bits),  # Q8_0
}


def read(path: str | Path) -> GGUF:
    """Everything in the file, the weights as 32-bit numbers.

    Raises:
        ValueError: it is no GGUF file, is cut short, or holds a type that we do not read.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise ValueError(f"{path} is no GGUF file: it begins with {data[:4]!r}.")
        try:
            return _read(data)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path} is damaged or cut short ({error}); fetch it again."
            ) from error
        except KeyError as error:
            raise ValueError(
                f"{path} has values or weights of type {error}, unknown here."
            ) from error


def _read(data: mmap.mmap) -> GGUF:
    at = 4

    def scalar(code: str) -> Any:
        nonlocal at
        (value,) = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize(code)
        return value

    def string() -> str:
        nonlocal at
        size = scalar("Q")
        text, at = data[at : at + size].decode(), at + size
        return text

    def value(kind: int) -> Any:
        if kind == LIST:
            kind, size = scalar("I"), scalar("Q")
            return [value(kind) for _ in range(size)]
        return string() if kind == STRING else scalar(SCALARS[kind])

    _, tensors, values = scalar("I"), scalar("Q"), scalar("Q")
    said = {string(): value(scalar("I")) for _ in range(values)}
    heads = [  # sizes stand with the innermost first, against our habit
        (string(), [scalar("Q") for _ in range(scalar("I"))][::-1], scalar("I"), scalar("Q"))
        for _ in range(tensors)
    ]
    step = said.get("general.alignment", 32)
    start = -(-at // step) * step
    weights = {}
    for name, shape, kind, offset in heads:
        size, numbers, decode = KINDS[kind]
        length = math.prod(shape) // numbers * size
        raw = np.frombuffer(data[start + offset : start + offset + length], np.uint8)
        if len(raw) < length:
            raise IndexError(f"{name} ends too early")
        weights[name] = torch.from_numpy(decode(raw)).reshape(shape)
    return GGUF(said, weights)
