"""What no check may change."""

import os
import random
import sys

import numpy as np
import torch


def session() -> tuple:
    numpy_state = np.random.get_state()
    return (
        random.getstate(),
        numpy_state[1].tobytes(),
        numpy_state[2:],
        torch.get_rng_state().numpy().tobytes(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        os.getcwd(),
        sys.getrecursionlimit(),
    )
