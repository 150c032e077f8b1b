"""Hidden words and sentence pairs: what is chosen, what is seen, and what counts."""

import pytest
import torch

from course_lib.bert.model import BertConfig, BertForPreTraining
from course_lib.bert.pre_training import (
    MaskedBatch,
    MaskedSampler,
    NextSentenceSampler,
    NextTokenSampler,
    choose,
    corrupt,
    fill_blank,
    hidden_ranks,
    hide,
    masked_loss,
)
from course_lib.text.wordpiece import SPECIALS, Marked, WordPiece
from course_lib.training import loop

ORDINARY = [f"w{n}" for n in range(95)]
TOKENS = WordPiece([*SPECIALS, *ORDINARY])


def row(length: int) -> list[int]:
    return [TOKENS.cls, *range(5, 5 + length), TOKENS.sep]


def texts(count: int = 40, length: int = 20) -> list[Marked]:
    draw = torch.Generator().manual_seed(1)
    return [
        Marked(
            [2, *torch.randint(5, 100, (length,), generator=draw).tolist(), 3], [0] * (length + 2)
        )
        for _ in range(count)
    ]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_share_of_the_ordinary_tokens_is_chosen_and_no_mark_or_padding():
    tokens = torch.tensor([row(40), row(20) + [0] * 20, row(1) + [0] * 39, [2, 3] + [0] * 40])
    chosen = choose(tokens, TOKENS.specials, generator())
    assert chosen.sum(1).tolist() == [6, 3, 1, 0]
    assert (tokens[chosen] >= 5).all()


def test_each_token_is_chosen_equally_often():
    tokens = torch.tensor([row(20)] * 4000)
    often = choose(tokens, TOKENS.specials, generator()).float().mean(0)
    assert often[0] == often[-1] == 0
    torch.testing.assert_close(often[1:-1], torch.full((20,), 0.15), atol=0.025, rtol=0)


def test_eighty_ten_ten():
    tokens = torch.tensor([row(90)] * 600)
    chosen = choose(tokens, TOKENS.specials, generator(), 1.0)
    before = tokens.clone()
    seen = corrupt(tokens, chosen, TOKENS, generator())
    assert torch.equal(tokens, before)
    assert torch.equal(seen[~chosen], tokens[~chosen])
    masked = seen[chosen] == TOKENS.mask
    same = seen[chosen] == tokens[chosen]
    other = ~masked & ~same
    for found, share in ((masked, 0.8), (other, 0.1), (same, 0.1)):
        assert found.float().mean().item() == pytest.approx(share, abs=0.01)
    drawn = seen[chosen][other]
    assert (drawn >= 5).all() and len(drawn.unique()) == 95  # any ordinary token, no mark


def test_the_mix_can_be_changed():
    tokens = torch.tensor([row(90)] * 50)
    chosen = choose(tokens, TOKENS.specials, generator(), 0.5)
    seen = corrupt(tokens, chosen, TOKENS, generator(), (1.0, 0.0, 0.0))
    assert (seen[chosen] == TOKENS.mask).all()
    assert torch.equal(corrupt(tokens, chosen, TOKENS, generator(), (0.0, 0.0, 1.0)), tokens)


@pytest.mark.parametrize("mix", [(0.8, 0.1, 0.2), (1.2, -0.1, -0.1)])
def test_wrong_shares_are_refused(mix):
    tokens = torch.tensor([row(5)])
    with pytest.raises(ValueError, match="sum to 1"):
        corrupt(tokens, tokens > 4, TOKENS, generator(), mix)


def test_the_batch_of_a_step_depends_on_seed_and_step_only():
    def flat(sampler, step):
        batch = sampler.batch(step)
        return batch.tokens.tolist(), batch.targets.tolist()

    one, other = (MaskedSampler(texts(), TOKENS, 8, seed=3) for _ in range(2))
    state = torch.get_rng_state()
    flat(one, 0)
    assert flat(one, 7) == flat(other, 7)
    assert torch.equal(state, torch.get_rng_state())
    assert flat(one, 7) != flat(one, 8)
    assert flat(one, 7) != flat(MaskedSampler(texts(), TOKENS, 8, seed=4), 7)


def test_a_text_hides_other_places_in_the_next_pass():
    sampler = MaskedSampler(texts(8), TOKENS, 8, seed=0)
    first, second = sampler.batch(0), sampler.batch(1)
    assert sorted(first.tokens.sum(1).tolist()) != sorted(second.tokens.sum(1).tolist())


def test_targets_are_the_true_tokens_at_the_chosen_places():
    some = texts(6)
    batch = hide(some, TOKENS, generator())
    true = torch.tensor([text.ids for text in some])
    assert torch.equal(batch.targets, true[batch.chosen])


def test_loss_counts_chosen_places_only():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(100)).eval()
    batch = hide(texts(4), TOKENS, generator())
    scores = model(batch.tokens, batch.segments).words.log_softmax(-1)  # (B, S, V)
    places = batch.chosen.nonzero()
    by_hand = [-scores[r, s, t] for (r, s), t in zip(places, batch.targets, strict=True)]
    torch.testing.assert_close(masked_loss(model, batch), torch.stack(by_hand).mean())


def test_nothing_chosen_is_an_error():
    model = BertForPreTraining(BertConfig.tiny(100))
    batch = hide([Marked([2, 3], [0, 0])], TOKENS, generator())
    with pytest.raises(ValueError, match="no token was chosen"):
        masked_loss(model, batch)


def test_left_to_right_is_asked_for_the_next_token_and_cannot_see_it():
    sampler = NextTokenSampler([Marked(row(3), [0] * 5), Marked(row(2), [0] * 4)], 2, seed=0)
    batch = sampler.batch(0)
    rows = [r[r != 0] for r in batch.tokens]
    assert torch.equal(batch.targets, torch.cat([r[1:] for r in rows]))
    assert batch.chosen.sum() == 4 + 3 and not batch.chosen[:, -1].any()
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(100, causal=True)).eval()
    tokens = torch.tensor([row(6)])
    other = tokens.clone()
    other[0, 5] = 77
    moved = (model(tokens).words - model(other).words).abs().amax(-1)[0]
    assert (moved[:5] == 0).all() and (moved[5:] > 0).all()


def test_learns_what_is_hidden():
    """Each text repeats one word, so a hidden word can be read off its neighbors."""
    some = [Marked([2, *[5 + n] * 12, 3], [0] * 14) for n in range(20)]
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(100))
    losses = loop.fit(
        model, masked_loss, MaskedSampler(some, TOKENS, 16, 0), 150, lr=3e-3, progress=False
    ).losses
    assert losses[0] > 4 > 1 > sum(losses[-10:]) / 10
    ranks, nats = hidden_ranks(model, [hide(some, TOKENS, generator())])
    assert (ranks == 0).float().mean() > 0.9 and nats.mean() < 1


DOCUMENTS = [
    ["w1 w2 w3", "w4 w5", "w6 w7"],
    ["w11 w12", "w13 w14"],
    ["w21 w22"],
    ["w31", "w32", "w33 w34"],
]


def test_pairs_follow_or_come_from_another_document():
    sampler = NextSentenceSampler(DOCUMENTS, TOKENS, 5, seed=0)
    place = {s: (d, n) for d, document in enumerate(DOCUMENTS) for n, s in enumerate(document)}
    followed = []
    for step in range(200):
        batch = sampler.batch(step)
        true = batch.tokens.clone()
        true[batch.chosen] = batch.targets
        for ids, segments, apart in zip(true, batch.segments, batch.follows.tolist(), strict=True):
            halves = [TOKENS.decode(ids[(segments == n) & (ids != 0)].tolist()) for n in (0, 1)]
            (d, n), (e, m) = (place[half] for half in halves)
            assert (e, m) == (d, n + 1) if apart == 0 else d != e
            followed.append(apart)
    assert sum(followed) / len(followed) == pytest.approx(0.5, abs=0.06)
    again = NextSentenceSampler(DOCUMENTS, TOKENS, 5, seed=0).batch(7)
    assert torch.equal(again.tokens, sampler.batch(7).tokens)


def test_the_loss_of_pairs_is_added():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(100)).eval()
    batch = NextSentenceSampler(DOCUMENTS, TOKENS, 5, seed=0).batch(0)
    alone = MaskedBatch(batch.tokens, batch.segments, batch.chosen, batch.targets)
    follows = model(batch.tokens, batch.segments).next
    wanted = torch.nn.functional.cross_entropy(follows, batch.follows)
    torch.testing.assert_close(masked_loss(model, batch), masked_loss(model, alone) + wanted)


def test_a_blank_is_filled_with_ordinary_tokens():
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.tiny(100))
    found = fill_blank(model, TOKENS, "w1 w2 ___ w3", count=95)
    assert {word for word, _ in found} == set(ORDINARY)
    assert sum(chance for _, chance in found) == pytest.approx(1, abs=1e-5)
    for wrong in ("w1 w2", "___ ___"):
        with pytest.raises(ValueError, match="expected one"):
            fill_blank(model, TOKENS, wrong)
