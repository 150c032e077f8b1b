"""The bench compares like with like (no timing is tested)."""

import json

import torch

from course_lib.seq2seq import EncoderDecoder, Seq2SeqConfig
from tools import bench


def test_both_models_compute_the_same():
    config = Seq2SeqConfig.tiny(9, 11)
    ours, bare = EncoderDecoder(config), bench.BareEncoderDecoder(config)
    bench.copy_weights(ours, bare)
    source, target = torch.tensor([[4, 5, 6], [7, 0, 0]]), torch.tensor([[1, 4], [1, 5]])
    torch.testing.assert_close(ours(source, target), bare(source, target))
    assert len(bench.ours_in_bare_order(ours)) == len(list(ours.parameters()))


def test_a_missed_target_is_an_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "hand_written", lambda kind, pairs: fake(1.2, None))
    for ratio, code in ((1.04, 0), (1.06, 1)):
        monkeypatch.setattr(bench, "training_step", lambda pairs, r=ratio: fake(r, 1.05))
        report = tmp_path / "bench.json"
        assert bench.main(["--report", str(report)]) == code
        assert json.loads(report.read_text())["results"][0]["ratio"] == ratio
    printed = capsys.readouterr().out
    assert "<= 1.05 pass" in printed and "<= 1.05 FAIL" in printed


def test_pairs_are_interleaved():
    calls = []
    bench.compare("x", lambda: calls.append("a"), lambda: calls.append("b"), 3, 1, None)
    assert "".join(calls) == "ab" * 5


def fake(ratio, target):
    passed = None if target is None else ratio <= target
    pair = (ratio, ratio)
    return bench.Result("fake", 1, pair, ratio, pair, ratio, pair, target, passed)
