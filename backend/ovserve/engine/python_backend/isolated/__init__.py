"""A Python model in a process of its own: one for each instance."""
