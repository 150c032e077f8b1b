"""Weights that a study leaves behind: a safetensors file and a model card beside it."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from course_lib.studies.engine import forms
from course_lib.studies.engine.core import Config, Metrics, key, plain
from course_lib.support.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

    from course_lib.text.words import Tokenizer

Kind = TypeVar("Kind", bound="Tokenizer")
CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
CARD = Path(__file__).with_name("card.schema.yml")


@dataclass(frozen=True)
class KeptWeights:
    """What a study keeps: the weights of one configuration's first seed, which is 0.

    It becomes `NAME.safetensors`, the card `NAME.json`, and for each tokenizer `NAME.SIDE.json`.
    `what`, `data`, `licence` and `limits` stand in the card. So do the sizes of the model, where
    `config` does not say them. With `half` the weights are written in 16 bits.
    """

    name: str
    config: Config
    what: str
    data: str
    limits: str
    licence: str
    sizes: Config = field(default_factory=dict)
    half: bool = True

    def keep(
        self, config: Config, seed: int, model: nn.Module, scores: Metrics, **tokenizers: Tokenizer
    ) -> None:
        """Called at the end of every cell: save the model if it is the one to keep.

        Outside the runner, and in smoke cells, nothing is written. The model stays as it is.
        """
        folder = os.environ.get("COURSE_ARTIFACTS", "")
        if not folder or plain(config) != plain(self.config) or seed != 0:
            return
        from course_lib.training.checkpoint import save_weights

        path = Path(folder) / f"{self.name}.safetensors"
        save_weights(copy.deepcopy(model).half() if self.half else model, path)
        card = {
            "name": self.name,
            "what": self.what,
            "config": config | self.sizes,
            "seed": seed,
            "data": self.data,
            "licence": self.licence,
            "scores": scores,
            "limits": self.limits,
            **({"storage": "16-bit floats"} if self.half else {}),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(path.with_suffix(".json"), text.encode())
        for side, tokenizer in tokenizers.items():
            tokenizer.save(path.with_name(f"{self.name}.{side}.json"))

    def load(self, model: nn.Module, *, folder: Path = CHECKPOINTS) -> dict[str, Any]:
        """Load the kept weights into `model` and return their card.

        Raises:
            KeyError: no such weights, or no card beside them; the message lists those there are.
            ValueError: the card is damaged, weights and card do not belong together, or do not
                fit the model.
        """
        from course_lib.training.checkpoint import load_weights

        path = self._find(folder)
        card = forms.read(path.with_suffix(".json"), CARD, "Restore the card, or make both again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
            raise ValueError(f"{path.name} is not the file its card describes; make both again")
        load_weights(model, path)
        return card

    def tokenizer(
        self, kind: type[Kind], side: str = "tokens", *, folder: Path = CHECKPOINTS
    ) -> Kind:
        """The tokenizer that was kept beside the weights; of a translator the one of a `side`.

        Raises:
            KeyError: no such weights.
            FileNotFoundError: the tokenizer is not there.
        """
        return kind.load(self._find(folder).with_name(f"{self.name}.{side}.json"))

    def _find(self, folder: Path) -> Path:
        weights = {file.stem: file for file in sorted(Path(folder).glob("*.safetensors"))}
        whole = [stem for stem, file in weights.items() if file.with_suffix(".json").is_file()]
        if self.name in whole:
            return weights[self.name]
        card = f"the card {self.name}.json is missing"
        lacking = card if self.name in weights else f"no weights {self.name!r}"
        raise KeyError(f"{lacking}; there are: {', '.join(whole) or 'none yet'}")


@contextmanager
def resume_file(study: str, config: Config, seed: int) -> Iterator[Path | None]:
    """Where a long cell keeps what it has learned so far; None outside the runner.

    The file lies in the cache folder. It goes when the cell is done, and stays when it is killed.
    """
    if not os.environ.get("COURSE_ARTIFACTS"):
        yield None
        return
    from course_lib.data import archives

    digest = hashlib.sha256(key(config, seed).encode()).hexdigest()[:12]
    path = archives.cache_folder() / "runs" / f"{study}-{digest}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path
    path.unlink(missing_ok=True)
