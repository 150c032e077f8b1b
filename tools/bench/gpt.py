"""A training step of our GPT against Hugging Face's GPT-2; writing with and without a cache."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.data.batching import StreamBatch
from course_lib.decoding.search import greedy
from course_lib.gpt.model import GPT, GPTConfig, adamw
from course_lib.gpt.windows import WindowSampler, window_loss
from course_lib.text.words import EOS
from course_lib.training.loop import fit
from tools.bench.pairs import Result, check_same_work, compare

STEPS = 2  # training steps in one half of a pair
BATCH, VOCABULARY = 12, 6105
SHORTEST = 32  # tokens that one half of a pair writes at least


class Read(NamedTuple):
    """A state without a cache: all tokens read so far, (B, P)."""

    tokens: Tensor


class WithoutCache(nn.Module):
    """A GPT that keeps nothing and reads the whole text again for each token."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def init_state(self, prompt: Tensor) -> Read:
        """The prompt (B, P) itself."""
        return Read(prompt)

    def step(self, tokens: Tensor, state: Read) -> tuple[Tensor, Read]:
        """As ``GPT.step``; only the last position goes through the output layer."""
        read = torch.cat([state.tokens, tokens[:, None]], dim=1)
        states = self.model.body(read)
        return self.model.head(states[:, -1]).log_softmax(-1), Read(read)

    def reorder(self, state: Read, index: Tensor) -> Read:
        """Rows ``index`` of the state."""
        return Read(state.tokens[index])


def hugging_face(ours: GPT) -> nn.Module:
    """GPT-2 of Hugging Face with the weights and the dropout of ours."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = ours.config
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            embd_pdrop=config.dropout,
            resid_pdrop=config.dropout,
            attn_pdrop=config.attention_dropout,
            bos_token_id=None,
            eos_token_id=None,
            use_cache=False,
        )
    )
    state = ours.body.state_dict()
    turned = {
        name: tensor.T.contiguous() if tensor.dim() == 2 and ".c_" in name else tensor
        for name, tensor in state.items()
    }
    theirs.transformer.load_state_dict(turned)
    return theirs


def bare_steps(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[StreamBatch]
) -> None:
    """The loop everybody writes by hand."""
    model.train()
    for batch in batches:
        logits = model(batch.inputs).logits
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def training_step(pairs: int, config: GPTConfig | None = None) -> Result:
    """Our model and loop / Hugging Face's model in a bare loop, on the same batches."""
    config = config or GPTConfig.course(VOCABULARY)
    torch.manual_seed(0)
    ours = GPT(config)
    theirs = hugging_face(ours)
    ids = torch.randint(EOS + 1, config.vocab_size, ((BATCH * STEPS + 2) * config.context,))
    sampler = WindowSampler(ids, BATCH, config.context, 0)
    batches = [sampler.batch(step) for step in range(STEPS)]
    optimizers = [adamw(ours, 1e-3), torch.optim.AdamW(theirs.parameters(), lr=1e-3)]

    def step_ours() -> None:
        fit(ours, window_loss, sampler, STEPS, optimizer=optimizers[0], progress=False)

    def step_theirs() -> None:
        bare_steps(theirs, optimizers[1], batches)

    def loss_theirs() -> Tensor:
        logits = theirs(batches[0].inputs).logits
        return F.cross_entropy(logits.flatten(0, 1), batches[0].targets.flatten())

    check_same_work(ours, theirs, lambda: window_loss(ours, batches[0]), loss_theirs)
    name = f"training step / Hugging Face GPT-2, D={config.width}"
    return compare(name, step_ours, step_theirs, pairs, STEPS, 1.0)


def writing(config: GPTConfig, tokens: int, pairs: int, target: float) -> Result:
    """Greedy writing of one text of ``tokens`` tokens with kept keys and values / without.

    The model is untrained; the end mark is made impossible, so that every text is equally long.
    """
    torch.manual_seed(0)
    model = GPT(config).eval()
    forbid_end(model)
    without = WithoutCache(model)
    nothing, repeat = torch.empty(1, 0, dtype=torch.long), max(1, SHORTEST // tokens)

    def write(with_or_without: nn.Module) -> None:
        for _ in range(repeat):
            greedy(with_or_without, nothing, tokens)

    return compare(
        f"decode with GPT, cache / none, D={config.width} T={tokens}",
        lambda: write(model),
        lambda: write(without),
        pairs,
        repeat * tokens,
        target,
    )


def forbid_end(model: GPT) -> None:
    """Make all other tokens likelier than the end mark, whatever the text."""
    with torch.no_grad():
        model.body.ln_f.bias.fill_(1.0)  # so that the numbers of a state sum to about D
        model.body.wte.weight[EOS] -= 10.0
