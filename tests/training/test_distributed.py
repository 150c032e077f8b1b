"""Two processes learn what one learns: by torchrun, over gloo, on this machine."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from course_lib.data.batching import Batch, StreamBatch
from course_lib.studies.engine import train_translator
from course_lib.training import distributed, sharded
from course_lib.training.distributed import ALONE, Team, target_tokens
from course_lib.training.loop import fit
from course_lib.training.losses import translation_loss
from course_lib.training.resumable import fit_resumable
from tests.training.two_processes import Slow, loss_fn, model

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [str(ROOT / "tests" / "training" / "two_processes.py")]
TROUBLED = {"diverged": "loss became nan at step 3", "asked to stop": "SIGTERM after 4 steps"}
REFUSED = {
    "carried state": "Module carries a state .* 2 processes cannot share",
    "unshared folder": r"there for processes \[0\] and not for \[1\]; .*all machines share",
}


def start(*program, **environment):
    """A program in two processes, as torchrun starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [*command, *program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": loopback} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, code=0):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return out, errors


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder in which two processes ran all scenarios, one of them after it was killed."""
    folder = tmp_path_factory.mktemp("two")
    interrupt(folder)
    scenarios = ["plain", "dropout", "sharded", "interrupted", *TROUBLED, *REFUSED]
    finish(start(*SCRIPT, str(folder), *scenarios))  # all at once: a start takes seconds
    return folder


def interrupt(folder):
    """Start two processes and kill one after their first checkpoint, which ends the other."""
    slow = start(*SCRIPT, str(folder), "interrupted", PAUSE="0.1")
    limit = time.monotonic() + 300
    while not (folder / "run.safetensors").exists():
        assert slow.poll() is None, slow.communicate()[1]
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)
    os.kill(int((folder / "pid.1").read_text()), signal.SIGKILL)
    slow.communicate(timeout=300)
    assert slow.returncode != 0 and not (folder / "interrupted.0.json").exists()


def result(folder, scenario):
    """What rank 0 and rank 1 wrote."""
    return [json.loads((folder / f"{scenario}.{rank}.json").read_text()) for rank in (0, 1)]


def weights(folder, scenario):
    return [
        safetensors.torch.load_file(folder / f"{scenario}.{rank}.safetensors") for rank in (0, 1)
    ]


# --- one batch, shared out ----------------------------------------------------------------------


def full_batch():
    return next(batch for batch in map(Slow().batch, range(5)) if len(batch) == 8)


def parts(batch, size, count=target_tokens):
    """The loss and gradients of the whole batch, put together from all ranks in one process."""
    net = model()
    losses = [
        Team(rank, size, count=count).part(translation_loss, net, batch) for rank in range(size)
    ]
    loss = sum(losses) / size
    return loss.item(), torch.autograd.grad(loss, list(net.parameters()))


def whole(batch):
    net = model()
    loss = translation_loss(net, batch)
    return loss.item(), torch.autograd.grad(loss, list(net.parameters()))


@pytest.mark.parametrize("size", [2, 3, 16])
@pytest.mark.parametrize("rows", [8, 5, 2, 1])
def test_the_parts_make_the_whole_for_any_number_of_rows(size, rows):
    batch = full_batch()
    batch = Batch(batch.source[:rows], batch.target[:rows])
    loss, gradients = whole(batch)
    together, summed = parts(batch, size)
    assert together == pytest.approx(loss, abs=1e-6)
    torch.testing.assert_close(summed, gradients, atol=1e-6, rtol=1e-4)


def test_words_are_counted_as_the_loss_counts_them():
    target = torch.tensor([[1, 5, 6, 2], [1, 2, 0, 0]])
    assert target_tokens(Batch(target, target)) == 4


def test_rows_are_dealt_out_once_each_from_any_kind_of_batch():
    ids = torch.arange(35).view(7, 5)
    for batch in (ids, Batch(ids, ids + 1), StreamBatch(ids, ids + 1, True)):
        shares = [Team(rank, 3).share(batch) for rank in range(3)]
        assert [type(share) for share in shares] == 3 * [type(batch)]
        rows = [share.source if isinstance(share, Batch) else share for share in shares]
        rows = [share[0] if isinstance(share, tuple) else share for share in rows]
        assert sorted(torch.cat(rows)[:, 0].tolist()) == ids[:, 0].tolist()
    assert Team(7, 8).share(ids) is None
    assert Team(2, 3).share(StreamBatch(ids, ids, True)).fresh is True


@pytest.mark.parametrize(
    "batch", [[1, 2], {"x": torch.ones(2)}, Batch(torch.ones(2), torch.ones(3))]
)
def test_what_cannot_be_shared_out_is_named(batch):
    with pytest.raises(TypeError, match=f"cannot share out a {type(batch).__name__}"):
        Team(0, 2).share(batch)


# --- alone --------------------------------------------------------------------------------------


def test_without_torchrun_there_is_a_team_of_one(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with distributed.join() as team:
        assert (team.rank, team.size) == (0, 1)
        assert not torch.distributed.is_initialized()
    net, batch = model(), Slow().batch(0)
    assert ALONE.wrap(net) is net
    assert torch.equal(ALONE.loss(translation_loss, net, batch), translation_loss(net, batch))
    before = torch.get_rng_state()
    ALONE.spread_randomness({})
    assert torch.equal(torch.get_rng_state(), before) and ALONE.random_states() == {}


# --- two processes ------------------------------------------------------------------------------


def test_two_processes_give_the_loss_curve_of_one(ran):
    alone = model()
    expected = fit(alone, loss_fn, Slow(), 12, lr=1e-2)
    first, second = result(ran, "plain")
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(expected.losses, abs=1e-5)
    assert expected.losses[0] - expected.losses[-1] > 0.2  # it learned on the way
    for name, parameter in alone.state_dict().items():
        one, other = (stored.get(name) for stored in weights(ran, "plain"))
        if one is not None and not name.endswith("key.bias"):  # which no loss depends on
            assert torch.equal(one, other), name
            torch.testing.assert_close(one, parameter, atol=1e-3, rtol=1e-3)


def test_one_process_goes_on_where_two_stopped(ran, tmp_path):
    path = tmp_path / "plain.safetensors"
    path.write_bytes((ran / path.name).read_bytes())
    expected = fit(model(), loss_fn, Slow(), 20, lr=1e-2)
    resumed = fit_resumable(model(seed=5), loss_fn, Slow(), 20, lr=1e-2, checkpoint=path)
    assert resumed.losses == pytest.approx(expected.losses, abs=1e-5)


def test_each_process_drops_out_other_units_and_all_keep_the_same_weights(ran):
    first, second = result(ran, "dropout")
    assert first["next random number"] != second["next random number"]
    assert first["losses"] == second["losses"]
    one, other = weights(ran, "dropout")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_shared_out_weights_learn_the_same_and_each_process_holds_half(ran):
    first, second = result(ran, "sharded")
    if not hasattr(torch.cpu.Stream, "record_event"):
        assert "needs torch 2.7 or newer" in first["error"]
        pytest.skip("this torch shards on GPUs only")
    alone = model()
    expected = fit(alone, loss_fn, Slow(), 12, lr=1e-2)
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx(expected.losses, abs=1e-5)
    count = sum(parameter.numel() for parameter in alone.parameters())
    for held in (first["held"], second["held"]):
        assert held["weights"] == pytest.approx(count / 2, rel=0.01)
        assert held["gradients"] == held["weights"] and held["optimizer"] == 2 * held["weights"]
    assert first["given"] == len(alone.state_dict()) and second["given"] == 0
    assert first["next random number"] != second["next random number"]
    stored = safetensors.torch.load_file(ran / "sharded.0.safetensors")
    for name, parameter in alone.state_dict().items():
        if name in stored and not name.endswith("key.bias"):  # which no loss depends on
            torch.testing.assert_close(stored[name], parameter, atol=1e-3, rtol=1e-3)


def test_alone_nothing_is_shared_out():
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    sharded.shard(net, net.encoder.layers, ALONE)
    after = sharded.whole(net)
    assert type(net).__name__ == "Transformer" and after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("scenario", TROUBLED)
def test_what_happens_to_one_process_stops_both_at_the_same_step(ran, scenario):
    first, second = result(ran, scenario)
    assert TROUBLED[scenario] in first["error"]
    assert first == second


@pytest.mark.parametrize("scenario", REFUSED)
def test_mistakes_are_named_in_every_process(ran, scenario):
    for found in result(ran, scenario):
        assert re.search(REFUSED[scenario], found["error"]), found["error"]


def test_killed_in_one_process_then_finished_equals_never_killed(ran):
    assert result(ran, "interrupted") == result(ran, "dropout")
    for one, other in zip(weights(ran, "interrupted"), weights(ran, "dropout"), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def options_of_the_page(*names):
    page = (ROOT / "book" / "when_one_machine_is_not_enough.md").read_text("utf8")
    command = "torchrun --nproc-per-node 2 -m course_lib.studies.engine.train_translator"
    assert command in page and all(name in page for name in names)
    return ["--steps", "6", "--pairs", "100", "--width", "16", *names]


def test_the_commands_of_the_page(tmp_path, capsys):
    options = options_of_the_page()
    two, parts, one = (tmp_path / f"{name}.json" for name in ("two", "parts", "one"))
    program = ["-m", "course_lib.studies.engine.train_translator"]
    train_translator.main([*options, "--losses", str(one)])
    assert "processes: 1, on cpu" in capsys.readouterr().out
    commands = {two: options}
    if hasattr(torch.cpu.Stream, "record_event"):
        commands[parts] = options_of_the_page("--sharded")
    for path, chosen in commands.items():
        out, _ = finish(start(*program, *chosen, "--losses", str(path)))
        assert "processes: 2, on cpu" in out
        assert out.count("test sentences translated") == 1  # rank 0 alone speaks
    losses = [json.loads(path.read_text())["losses"] for path in (one, *commands)]
    assert all(found == pytest.approx(losses[0], abs=1e-5) for found in losses)
    assert len(losses[0]) == 6


def test_parts_of_a_model_keep_no_checkpoint_here(capsys):
    with pytest.raises(SystemExit):
        train_translator.main(["--sharded", "--checkpoint", "run.safetensors"])
    assert "neither with --checkpoint" in capsys.readouterr().err
