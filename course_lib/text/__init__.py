"""Text into token ids and back: whole words (`words`), then subwords learned by merging (`bpe`),
then BERT's own (`wordpiece`).
"""
