"""Chapter 9. The AWD-LSTM language model (`model`) and the classifier on its body
(`classifier`).
"""
