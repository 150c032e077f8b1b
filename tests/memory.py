"""How large tensors get while something is computed."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class largest_tensor(TorchDispatchMode):  # noqa: N801  (used as `with largest_tensor() as …`)
    """Notes the size of the largest tensor that any operation, also a backward one, returns.

    Args:
        dtype: count tensors of this type only.
    """

    def __init__(self, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.dtype, self.numbers = dtype, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor) and self.dtype in (None, tensor.dtype):
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.numbers = max(self.numbers, size)
        return out
