"""From a model to a text: what a model offers (`protocol`), the most probable next words
(`search`), a drawn next word (`sampling`), sentences in and out (`translation`).
"""
