"""Chapters 1 to 3. One step by hand (`cells`), a language model that carries a state
(`language_model`), the stream it reads (`streams`) and the baseline that counts (`ngram`); then
translation through one fixed vector (`encoder_decoder`), its baseline (`word_dictionary`), and
what the vector still holds (`probe`).
"""
