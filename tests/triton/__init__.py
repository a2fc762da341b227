"""A package only so that what its tests have started, Triton with all its processes, ends with the last of them."""
