"""What a cell says in words: one whole sentence with slots, so that it can be said in another
language."""


def say(template: str, /, **values: object) -> str:
    """The template with its slots filled, as `str.format` does it.

    >>> say("{short:.0%} of {count:,} sentences", short=0.5, count=2000)
    '50% of 2,000 sentences'

    Where the words depend on what came out, choose between whole templates: a sentence that is
    glued from pieces cannot be translated.

    Args:
        template: literal text, the same in every run. A brace that is meant is doubled.
        values: what the slots name; texts among them are names and lists, not parts of sentences.
    """
    return template.format(**values)
