"""The library behind the course *Attention, Measured*: data, models, training and evaluation."""

import os

__version__ = "0.1.0"

# The notebooks of another language set it in their first cell.
if (language := os.environ.get("COURSE_LANG", "en")) != "en":
    from course_lib.figures.language import speak

    speak(language)
