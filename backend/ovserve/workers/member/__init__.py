"""The side of a worker: it serves what the server has told it to."""
