"""Weights files and resume files, both safetensors: reading one never runs code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from course_lib.support.files import write_atomically


class Checkpoint(NamedTuple):
    """All that a run needs to go on, as `save_checkpoint` wrote it; `info` is the run's own."""

    path: Path
    info: Any
    tensors: dict[str, Tensor]
    optimizer: dict[str, Any]

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Set model, optimizer and torch's random states; return what the run carried.

        The model is unchanged where anything does not fit.
        """
        weights = _under("model.", self.tensors)
        check_fit(weights, model.state_dict(), str(self.path), type(model).__name__)
        device = _device(model)
        with reading(self.path):
            optimizer.load_state_dict(self.optimizer)
            torch.set_rng_state(self.tensors["random.cpu"])
            if device.type == "cuda" and "random.cuda" in self.tensors:
                torch.cuda.set_rng_state(self.tensors["random.cuda"], device)
        _copy_into(model, weights, self.path)
        carried = _under("carried.", self.tensors)
        return {name: tensor.to(device) for name, tensor in carried.items()}


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's parameters and buffers to `path` atomically; tied ones once."""
    write_atomically(path, safetensors.torch.save(_tensors_once(model)))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Copy the weights of the safetensors file `path` into `model`.

    Raises:
        ValueError: the file is damaged, or its names or shapes differ from the model's; every
            missing, extra and misshapen name is listed. The model is unchanged then.
    """
    _copy_into(model, read_tensors(path), path)


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    info: Any,
    carried: dict[str, Tensor],
) -> None:
    """Write all that a run needs to go on bit by bit: weights, optimizer, random states.

    `carried` are tensors that the run hands from step to step, such as a recurrent state. `info` is
    any JSON value. It travels in the header of the same safetensors file, so that a kill between
    two files cannot leave weights of one step beside the step number of another.
    """
    tensors = {f"model.{name}": tensor for name, tensor in _tensors_once(model).items()}
    tensors |= {f"carried.{name}": tensor.detach().clone() for name, tensor in carried.items()}
    optimizer_state = optimizer.state_dict()
    scalars: dict[int, dict[str, Any]] = {}
    for index, entries in optimizer_state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value.detach().clone()
            else:
                scalars.setdefault(index, {})[name] = value
    tensors["random.cpu"] = torch.get_rng_state()
    device = _device(model)
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    groups = optimizer_state["param_groups"]
    header = {"info": info, "optimizer": {"scalars": scalars, "param_groups": groups}}
    metadata = {"run": json.dumps(header)}
    write_atomically(path, safetensors.torch.save(tensors, metadata=metadata))


def read_checkpoint(path: str | Path) -> Checkpoint:
    """What `save_checkpoint` wrote."""
    path = Path(path)
    with reading(path), safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {})["run"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        scalars, groups = (header["optimizer"][part] for part in ("scalars", "param_groups"))
        state = {int(index): dict(entries) for index, entries in scalars.items()}
        for key, tensor in _under("optimizer.", tensors).items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = tensor
        return Checkpoint(path, header["info"], tensors, {"state": state, "param_groups": groups})


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, whoever wrote it."""
    with reading(path), safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Inside, whatever does not go as with a whole file is said to be the fault of `path`."""
    try:
        yield
    except (SafetensorError, LookupError, TypeError, AttributeError, ValueError, RuntimeError) as e:
        raise ValueError(
            f"{path} is no whole safetensors file, or not of this kind ({type(e).__name__}: {e}). "
            f"Weights are for load_weights, a run goes on from its own checkpoint; or delete it."
        ) from e


def copy_tensors(
    tensors: dict[str, Tensor], state: dict[str, Tensor], source: str, kind: str
) -> None:
    """Copy tensors into a model's `state` by name; nothing is copied unless `check_fit` passes."""
    check_fit(tensors, state, source, kind)
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)


def check_fit(tensors: dict[str, Tensor], state: dict[str, Tensor], source: str, kind: str) -> None:
    """Refuse names that are missing or extra, other shapes, and numbers that are not finite.

    `state` is a state dict, or views of one, for a file with another layout. Of tied tensors one
    name is enough, and two must be equal. `source` and `kind` are what a message calls the tensors
    and the model.
    """
    both = [name for name in tensors if name in state]
    present: dict[tuple[Any, ...], str] = {}  # of tied tensors the first name
    for name in both:
        present.setdefault(_storage(state[name]), name)
    first = {name: present[_storage(state[name])] for name in both}
    problems = {
        "missing": [
            name
            for name, tensor in state.items()
            if name not in tensors and _storage(tensor) not in present
        ],
        "extra": [name for name in tensors if name not in state],
        "other shape": [
            f"{name} {tuple(tensors[name].shape)} (the model has {tuple(state[name].shape)})"
            for name in both
            if tensors[name].shape != state[name].shape
        ],
        "not finite": [name for name in both if not bool(tensors[name].isfinite().all())],
        "unequal, but one tensor in the model": [
            f"{one} and {name}"
            for name, one in first.items()
            if one != name and not torch.equal(tensors[one], tensors[name])
        ],
    }
    said = [f"{what}: {', '.join(names)}" for what, names in problems.items() if names]
    if said:
        raise ValueError(
            f"{source} does not fit this {kind}; {'; '.join(said)}. "
            f"Build the model with the configuration that the file was made with."
        )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    size = len(prefix)
    return {name[size:]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _storage(tensor: Tensor) -> tuple[Any, ...]:
    """The same for two names of one tensor; what has no storage stands for itself."""
    place = tensor.data_ptr() or id(tensor)
    return (place, tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _tensors_once(model: nn.Module) -> dict[str, Tensor]:
    """The state dict without the second and later names of tied parameters."""
    kept: dict[tuple[Any, ...], str] = {}
    state = model.state_dict()
    for name, tensor in state.items():
        kept.setdefault(_storage(tensor), name)
    return {name: state[name].detach().clone().contiguous() for name in kept.values()}


def _copy_into(model: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    copy_tensors(tensors, model.state_dict(), str(path), type(model).__name__)


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
