"""The section of a page that the command writes itself."""

BEGIN = "<!-- peers: written by `python tests/perf/peers write` -->"
END = "<!-- peers: end -->"


def replaced(page: str, section: str) -> str:
    """Put `section` between the page's two marks; raises `ValueError` where there is not one of each, in order."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page needs one {BEGIN} and one {END} after it")
    lines = (BEGIN, section.strip(), END)
    return before + "\n".join(filter(None, lines)) + after
