"""Chapters 6 and 7. The net at every position (`feed_forward`), the layers (`layers`), the whole
model (`model`), and what it costs (`costs`).
"""
