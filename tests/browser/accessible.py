"""What axe-core, the accessibility checker, finds on an open page."""

# Rules that the theme itself breaks on a plain page, with the number of elements.
THEME_OWNED = {"label-content-name-mismatch": 3, "region": 1}
# Rules about colors: they take more than half of the time.
COLOR = ["color-contrast", "link-in-text-block"]
ONLY_COLOR = {"runOnly": {"type": "rule", "values": COLOR}}
NO_COLOR = {"rules": {rule: {"enabled": False} for rule in COLOR}}


def violations(page, axe: str, within="html", options: dict | None = None) -> list[dict]:
    """The rules that are broken inside an element, each with all its nodes.

    What holds is not listed node by node: on a long page that takes three times as long.

    Args:
        within: a selector, or what else axe-core takes as its context.
        options: of axe-core, such as `ONLY_COLOR`.
    """
    if not page.evaluate("!!window.axe"):
        page.evaluate(axe)
    run = "async ([within, options]) => (await axe.run(within, options)).violations"
    return page.evaluate(run, [within, {"resultTypes": ["violations"], **(options or {})}])


def broken(page, axe: str, within="html", options: dict | None = None) -> dict[str, list]:
    """What is broken on a page of the book by us, not by its theme: rules and their elements."""
    return {
        rule["id"]: [node["target"][-1] for node in rule["nodes"]]
        for rule in violations(page, axe, within, options)
        if len(rule["nodes"]) > THEME_OWNED.get(rule["id"], 0)
    }
