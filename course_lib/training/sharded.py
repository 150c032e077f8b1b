"""Several processes train a model of which each holds a part (sharded data parallelism).

In `distributed` every process holds the whole model, with its gradients and what the optimizer
keeps of it. Here each holds its share of the rows of every weight, of its gradient and of Adam's
two means; the weights of a layer are put together when the layer is computed, and let go after it.
The steps are the same::

    with distributed.join() as team:
        model.to(team.device)
        shard(model, model.body.h, team)
        fit(model, partial(team.loss, next_token_loss), sampler, 200)
        weights = whole(model)  # all processes call this

PyTorch calls it FSDP2, after Zhao et al. 2023. Without `torchrun` nothing is sharded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

from course_lib.training.distributed import Team


def shard(model: nn.Module, layers: Iterable[nn.Module], team: Team) -> None:
    """Deal out the weights, in place; make the optimizer after this, of the weights that are left.

    All start from the weights of rank 0, and each draws random numbers of its own afterwards, so
    that dropout differs between their rows.

    Args:
        model: on the device of the team.
        layers: what is put together at a time. The rest of the model, such as the embeddings, is
            put together at the beginning of a step and stays until its end.
        team: all of whose processes call this.
    """
    if team.size == 1:
        return
    if team.device.type == "cpu" and not hasattr(torch.cpu.Stream, "record_event"):
        raise RuntimeError(
            f"on a CPU, sharding needs torch 2.7 or newer, and this is {torch.__version__}; "
            f"install a newer torch, or train with `distributed` alone"
        )
    # What a layer returns may be a view, such as its heads side by side; nothing writes into it.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
    for tensor in [*model.parameters(), *model.buffers()]:
        distributed.broadcast(tensor.detach(), src=0)
    for layer in layers:
        fully_shard(layer)
        # A layer is put together when it is called. The decoder's are called by other names too.
        for name in ("prepare", "read"):
            if hasattr(layer, name):
                register_fsdp_forward_method(layer, name)
    fully_shard(model)
    team.spread_randomness({})


def whole(model: nn.Module) -> dict[str, Tensor]:
    """All weights by name, put together on the CPU of rank 0, for a file or a test.

    All processes must call this, and the others get nothing.
    """
    if not isinstance(model, FSDPModule):
        return {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, Any] = get_model_state_dict(model, options=options)
    return weights
