"""Models that are Python files, with the interface of Triton's Python backend (spec K.5)."""
