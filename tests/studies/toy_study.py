"""A study for the tests of the runner. What its cells do is said by their configuration."""

import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

from course_lib.studies import Study, device
from course_lib.studies.engine import artifacts, runner, workers


def run(config, seed):
    """One cell; leaves a mark in ``log`` so that a test can count how often it ran."""
    if "log" in config:
        with open(config["log"], "a") as log:
            log.write(f"{config['width']} {seed}\n")
    if "wait_for" in config:
        while not Path(config["wait_for"]).exists():
            time.sleep(0.02)
    if config.get("fault") == "raise":
        raise ArithmeticError("the oven is cold")
    if config.get("fault") == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.get("fault") == "nan":
        return {"loss": float("nan")}
    if "save" in config:
        kept(config).keep(config, seed, nn.Linear(2, config["width"]), {})
    return {
        "accuracy": config["width"] + seed / 10,
        "by_length": [float(torch.rand(())), seed],
        "setting": {"threads": torch.get_num_threads(), "device": device()},
    }


def kept(config):
    """What a toy cell that says "save" keeps."""
    return artifacts.KeptWeights(config["save"], config, what="", data="", limits="", licence="")


def study(*cells, **changes):
    """The toy with these cells."""
    usual = {
        "name": "toy",
        "chapter": "00",
        "title": "A toy",
        "cells": list(cells) or [{"width": 1}, {"width": 2}],
        "seeds": (0, 1),
        "run": run,
        "smoke": {"width": 0},
    }
    return Study(**{**usual, **changes})


def run_inline(monkeypatch):
    """Cells run in this process: quick, where the test is not about processes."""

    def work(jobs, run, *, at_once, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return (workers.perform(job, run) for job in jobs)

    monkeypatch.setattr(runner, "work", work)
