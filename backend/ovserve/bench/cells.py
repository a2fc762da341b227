"""Figures as the cells of tables have them: a median with its quartiles."""

from ovserve.bench.summary import Spread


def rate(value: Spread) -> str:
    return f"{value.median:.1f} ({value.low:.1f}..{value.high:.1f})"


def ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.low:.2f}..{value.high:.2f})"


def whole(value: Spread) -> str:
    return f"{value.median:.0f} ({value.low:.0f}..{value.high:.0f})"


def ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
