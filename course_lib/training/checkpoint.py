"""Weights files and resume files, both safetensors: reading one never runs code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from course_lib.support.files import write_atomically


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's parameters and buffers to ``path`` atomically.

    Tied parameters are stored once.

    Raises:
        OSError: the disk is full or the folder cannot be written; a former file stays.
    """
    write_atomically(path, safetensors.torch.save(_tensors_once(model)))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Copy the weights of the safetensors file ``path`` into ``model``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no whole safetensors file, or its names or shapes differ from
            the model's; every missing, extra and misshapen name is listed. The model is
            unchanged then.
    """
    _copy_into(model, read_tensors(path), path)


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    info: dict[str, Any],
    carried: dict[str, Tensor],
) -> None:
    """Write all that a run needs to go on bit by bit: weights, optimizer, random states.

    ``carried`` are tensors that the run hands from step to step, such as a recurrent state.
    ``info`` is any JSON value. It travels in the header of the same safetensors file, so that
    a kill between two files cannot leave weights of one step beside the step number of another.

    Raises:
        OSError: the disk is full or the folder cannot be written; the former checkpoint stays.
    """
    tensors = {f"model.{name}": tensor for name, tensor in _tensors_once(model).items()}
    tensors |= {f"carried.{name}": tensor.detach().clone() for name, tensor in carried.items()}
    optimizer_state = optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    for index, entries in optimizer_state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value.detach().clone()
            else:
                scalars.setdefault(str(index), {})[name] = value
    tensors["random.cpu"] = torch.get_rng_state()
    if (device := _cuda_device(model)) is not None:
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    header = {
        "info": info,
        "optimizer": {"scalars": scalars, "param_groups": optimizer_state["param_groups"]},
    }
    metadata = {"run": json.dumps(header)}
    write_atomically(path, safetensors.torch.save(tensors, metadata=metadata))


def read_info(path: str | Path) -> Any:
    """The ``info`` that ``save_checkpoint`` stored in ``path``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged or is no checkpoint of a training run.
    """
    return _header(Path(path), _read(Path(path))[1])["info"]


def load_checkpoint(
    path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Any, dict[str, Tensor]]:
    """Restore model, optimizer and torch's random states; return ``info`` and ``carried``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, is no checkpoint, or belongs to another model.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    header = _header(path, metadata)
    _copy_into(model, _under("model.", tensors), path)
    state: dict[int, dict[str, Any]] = {
        int(index): dict(entries) for index, entries in header["optimizer"]["scalars"].items()
    }
    for key, tensor in _under("optimizer.", tensors).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    groups = header["optimizer"]["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    torch.set_rng_state(tensors["random.cpu"])
    device = _cuda_device(model)
    if device is not None and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
    carried = _under("carried.", tensors)
    return header["info"], {name: tensor.to(device or "cpu") for name, tensor in carried.items()}


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, whoever wrote it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no whole safetensors file.
    """
    return _read(Path(path))[0]


def copy_tensors(
    tensors: dict[str, Tensor], state: dict[str, Tensor], source: str, kind: str
) -> None:
    """Copy tensors into a model's ``state`` by name; nothing is copied unless everything fits.

    ``state`` is a state dict, or views of one, for a file with another layout. Of tied tensors one
    name is enough, and two must be equal. ``source`` and ``kind`` are what a message calls the
    tensors and the model.

    Raises:
        ValueError: names that are missing or extra, other shapes, numbers that are NaN or infinite.
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
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}; check the path, or train first")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); delete it and make it again"
        ) from error


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "run" not in metadata:
        raise ValueError(
            f"{path} holds weights but no training state; "
            f"read it with load_weights, or give the run another checkpoint path"
        )
    return json.loads(metadata["run"])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    size = len(prefix)
    return {name[size:]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _storage(tensor: Tensor) -> tuple[Any, ...]:
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _tensors_once(model: nn.Module) -> dict[str, Tensor]:
    """The state dict without the second and later names of tied parameters."""
    kept: dict[tuple[Any, ...], str] = {}
    state = model.state_dict()
    for name, tensor in state.items():
        kept.setdefault(_storage(tensor) if tensor.numel() else (name,), name)
    return {name: state[name].detach().clone().contiguous() for name in kept.values()}


def _copy_into(model: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    copy_tensors(tensors, model.state_dict(), str(path), type(model).__name__)


def _cuda_device(model: nn.Module) -> torch.device | None:
    parameter = next(model.parameters(), None)
    return parameter.device if parameter is not None and parameter.is_cuda else None
