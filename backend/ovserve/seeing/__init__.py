"""What became of each inference request, for those who want to see it: log lines, traces, spans."""
