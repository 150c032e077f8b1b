"""Chapter 11. The encoder that reads both sides (`model`), how it is pre-trained
(`pre_training`), what it is used for (`classifier`), and weights of others (`weights`).
"""
