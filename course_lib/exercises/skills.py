"""What each exercise practices: one skill or two, by which the page of all exercises sorts them."""

from __future__ import annotations

SKILLS: dict[str, list[str]] = {
    "shapes and broadcasting": (
        "ch00.shapes ch00.centered ch00.similarities ch01.sentence_vectors ch02.last_states "
        "ch04.dot_scores ch06.split_heads ch09.locked_dropout ch10.from_conv1d"
    ).split(),
    "masks and padding": (
        "ch02.last_states ch02.token_accuracy ch03.reverse_source ch04.attend ch04.source_weights "
        "ch06.decoder_masks ch07.decoder_mask ch07.teacher_forcing ch09.pool_three_ways "
        "ch10.next_token_loss ch11.both_ways ch11.masked_loss ch11.text_vector ch11.choose_places"
    ).split(),
    "layers of a network": (
        "ch01.rnn_step ch01.gru_step ch01.latch ch03.NonlinearProbe ch04.AttentionStep "
        "ch05.feed_forward ch05.sinusoidal_positions ch05.embed ch05.is_permutation_equivariant "
        "ch06.layer_norm ch06.pre_norm ch07.embed_next ch08.residual_block ch08.normalize "
        "ch09.drop_words ch09.locked_dropout ch09.weight_dropped_rnn ch09.pool_three_ways "
        "ch10.from_conv1d"
    ).split(),
    "attention": (
        "ch00.similarities ch04.dot_scores ch04.additive_scores ch04.attend ch04.look "
        "ch04.source_weights ch04.AttentionStep ch05.self_attention ch06.multi_head_attention "
        "ch07.cached_attention"
    ).split(),
    "probabilities and losses": (
        "ch00.softmax ch00.cross_entropy ch01.corpus_perplexity ch02.translation_score "
        "ch03.chance_of_no_mistake ch07.smoothed_loss ch07.process_loss ch09.bits_per_character "
        "ch10.continuation_nats ch10.next_token_loss ch10.window_nats ch11.masked_loss"
    ).split(),
    "gradients and training": (
        "ch00.slope ch00.descend ch01.clip_gradients ch02.shifted ch03.NonlinearProbe "
        "ch07.teacher_forcing ch07.noam_rate ch07.process_loss ch08.discriminative_rates "
        "ch08.trained_at ch08.frozen_features ch08.make_optimizer ch09.slanted_triangle "
        "ch10.decayed"
    ).split(),
    "decoding": (
        "ch02.greedy ch07.embed_next ch07.cached_attention ch07.best_hypothesis ch07.beam_search "
        "ch10.temper ch10.keep_top_k ch10.keep_top_p"
    ).split(),
    "evaluation and statistics": (
        "ch01.score_articles ch02.clipped_precision ch02.token_accuracy ch03.accuracy_by_length "
        "ch03.bootstrap_interval ch03.majority_baseline ch04.alignment_error_rate "
        "ch05.fit_exponent ch09.bits_per_character ch12.t_interval ch12.paired_gain "
        "ch12.bootstrap_gain ch12.verdict ch12.choose_and_report ch12.score_at_cost"
    ).split(),
    "texts and their tokens": (
        "ch02.shifted ch03.reverse_source ch09.domain_corpus ch10.write_pair ch10.window_nats "
        "ch11.longest_match ch11.encode_pair ch11.corrupt ch11.choose_places ch11.whole_words"
    ).split(),
    "counting costs": (
        "ch05.fit_exponent ch05.layers_to_connect ch06.parameter_count ch06.encoder_layer_flops "
        "ch12.score_at_cost"
    ).split(),
}


def skills_of(exercise: str) -> list[str]:
    """The skills of one exercise, given by its id."""
    return [skill for skill, exercises in SKILLS.items() if exercise in exercises]
