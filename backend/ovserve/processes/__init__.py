"""Other processes of ours: how they are started, spoken to, and ended."""
