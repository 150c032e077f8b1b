"""What axe-core, the accessibility checker, finds on an open page."""


def violations(page, axe: str, within: str = "html") -> list[dict]:
    """The rules that are broken inside an element, each with all its nodes.

    What holds is not listed node by node: on a long page that takes three times as long.
    """
    page.evaluate(axe)
    run = "async (within) => (await axe.run(within, {resultTypes: ['violations']})).violations"
    return page.evaluate(run, within)
