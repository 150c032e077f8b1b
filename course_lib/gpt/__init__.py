"""Chapter 10. The decoder-only model (`model`), windows of text to train it on (`windows`),
other tasks written as one text (`classifier`), and weights of others (`weights`); then what today's
models do otherwise (`llama`), and one of them (`smollm`).
"""
