"""The library behind the course *Attention, Measured*: data, models, training and evaluation."""

__version__ = "0.1.0"
