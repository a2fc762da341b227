"""ovserve against other servers with the same model, the same clients and the same load; `python tests/perf/peers --help`.

In each cycle everything is measured once, for a slice of time, and the next cycle begins with another: what else the machine
does meets all alike. Ratios are taken cycle by cycle.
"""
