"""`--grpc_workers`: more than one interpreter behind one port, and one control plane (ADR 0030).

`crew` is the side of the server's own process, which decides; `member` that of a worker, which follows. What they say
to each other is written and read here.
"""
