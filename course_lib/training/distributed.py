"""Several processes train one model together (data parallelism).

`torchrun` starts the same program several times and tells each process its rank, from 0 on, and
how many there are. Each holds the whole model. At every step each makes the same batch, computes
the loss over its own rows of it, and all add up their gradients before the update; so the weights
stay equal everywhere without being sent around. ::

    with distributed.join() as team:
        model.to(team.device)
        fit_resumable(model, translation_loss, sampler, 200, team=team)

Without `torchrun` the same program is a team of one, and nothing here costs anything.

The mean over a batch is *not* the mean of the parts' means: with the rows of a batch shared out,
one process may hold more words than another. Each part counts by its share of the words::

    mean of the batch = sum over ranks of (words here / words of the batch) · mean here
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from course_lib.text.words import PAD


def target_tokens(batch: Any) -> int:
    """Over how many words `translation_loss` takes its mean: all targets but begin and padding."""
    return int((batch.target[:, 1:] != PAD).sum())


@dataclass(frozen=True)
class Team:
    """The processes that train one model, seen from one of them.

    Attributes:
        rank: the number of this process, from 0 on.
        size: how many there are.
        device: where this process computes.
        count: batch -> over how many things the loss is a mean: `target_tokens` for translation,
            `len` for one label a row.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    count: Callable[[Any], int] = target_tokens

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as the loss calls it, such that `backward` adds up all gradients.

        All processes start from the weights of rank 0.
        """
        if self.size == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices)

    def loss(
        self, loss_fn: Callable[[nn.Module, Any], Tensor], model: nn.Module, batch: Any
    ) -> Tensor:
        """The loss of the whole batch, with the gradient of this process's part of it."""
        if self.size == 1:
            return loss_fn(model, batch)
        part = self.part(loss_fn, model, batch)
        whole = torch.stack(self._gather(part.detach())).mean()
        return whole.to(part.device) + (part - part.detach())

    def part(
        self, loss_fn: Callable[[nn.Module, Any], Tensor], model: nn.Module, batch: Any
    ) -> Tensor:
        """The loss over this process's rows, weighted so that the mean over ranks is the loss.

        The mean over ranks is what `DistributedDataParallel` makes of the gradients.
        """
        rows = self.share(batch)
        mean = loss_fn(model, batch if rows is None else rows)
        weight = 0.0 if rows is None else self.count(rows) / self.count(batch)
        return mean * (weight * self.size)

    def share(self, batch: Any) -> Any | None:
        """Every `size`-th row of a batch, from row `rank` on; None where no row is left.

        A batch is a tensor (B, …), or a dataclass or named tuple of such tensors (other fields
        stay as they are). Rows next to each other have similar lengths, so that dealing them out
        gives everybody about as many words.
        """
        tensors = _tensors(batch)
        rows = {len(tensor) for tensor in tensors.values()}
        if len(rows) != 1:
            raise TypeError(
                f"cannot share out a {type(batch).__name__} with tensors of {sorted(rows)} rows; "
                f"expected a tensor, or a dataclass or named tuple of tensors with equally many"
            )
        if self.rank >= rows.pop():
            return None
        mine = {name: tensor[self.rank :: self.size] for name, tensor in tensors.items()}
        if isinstance(batch, Tensor):
            return mine[""]
        return batch._replace(**mine) if hasattr(batch, "_replace") else replace(batch, **mine)

    def signal(self, number: int | None) -> int | None:
        """The signal that some process got, the largest if there are several; None if nobody."""
        return max(self._all(number or 0)) or None

    def sees(self, path: Path) -> bool:
        """Whether a file is there; an error where only some of the processes see it."""
        seen = self._all(path.exists())
        if len(set(seen)) > 1:
            raise ValueError(
                f"{path} is there for processes {[r for r, s in enumerate(seen) if s]} and not for "
                f"{[r for r, s in enumerate(seen) if not s]}; keep checkpoints in a folder that "
                f"all machines share"
            )
        return bool(seen[0])

    def random_states(self) -> dict[str, Tensor]:
        """The random states of all ranks but 0, by name, for a checkpoint. All must call this."""
        if self.size == 1:
            return {}
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            f"team.rank.{rank}.{kind}": state
            for kind, own in states.items()
            for rank, state in enumerate(self._gather(own))
            if rank > 0
        }

    def spread_randomness(self, states: dict[str, Tensor]) -> None:
        """Give each rank its own random numbers, or all would drop out the same units.

        Rank 0 keeps its state. The others take theirs from `states` as `random_states` gave them,
        or draw a new seed where there is none.
        """
        if self.rank == 0:
            return
        ours = f"team.rank.{self.rank}"
        if f"{ours}.cpu" not in states:
            torch.manual_seed(int(torch.randint(2**62, (self.rank,))[-1]))
            return
        torch.set_rng_state(states[f"{ours}.cpu"].cpu())
        if self.device.type == "cuda" and f"{ours}.cuda" in states:
            torch.cuda.set_rng_state(states[f"{ours}.cuda"].cpu(), self.device)

    def _all(self, number: int) -> list[int]:
        """The numbers of all ranks, in their order."""
        return (
            [number] if self.size == 1 else list(map(int, self._gather(torch.tensor(int(number)))))
        )

    def _gather(self, value: Tensor) -> list[Tensor]:
        """The tensors of all ranks, in their order, on the CPU."""
        value = value.to(self.device)  # nccl knows only GPUs
        parts = [torch.empty_like(value) for _ in range(self.size)]
        distributed.all_gather(parts, value)
        return [part.cpu() for part in parts]


ALONE = Team()


@contextmanager
def join(count: Callable[[Any], int] = target_tokens) -> Iterator[Team]:
    """Join the other processes that `torchrun` started; without it, a team of one.

    A GPU for each process where there are GPUs (`nccl`), else the CPU (`gloo`). `count`: see
    `Team`.
    """
    rank, local = (int(os.environ.get(name, 0)) for name in ("RANK", "LOCAL_RANK"))  # by torchrun
    size = int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if size == 1:
        yield Team(device=device, count=count)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(rank, size, device, count)
    finally:
        distributed.destroy_process_group()


def _tensors(batch: Any) -> dict[str, Tensor]:
    """The tensors of a batch by the name of their field."""
    if isinstance(batch, Tensor):
        return {"": batch}
    if is_dataclass(batch):
        content = {field.name: getattr(batch, field.name) for field in fields(batch)}
    else:
        content = batch._asdict() if hasattr(batch, "_asdict") else {}
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}
