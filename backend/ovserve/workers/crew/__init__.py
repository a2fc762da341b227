"""The side of the server: its workers, what they are told, and what they ask."""
