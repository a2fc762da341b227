"""`ovserve bench`: how much of what OpenVINO gives arrives at a client, and what each request costs.

One run measures in alternating slices, so that whatever else the machine does meets all of them alike:

- limit: OpenVINO in a process of its own, inputs prepared, no gRPC;
- echo: our server and the same messages with inference left out;
- served: `ovserve` over loopback.

Nobody's server gets past the transport bound = limit CPU / (limit CPU + CPU of server and clients of the echo), all per
request: the part of a fully used machine that is left for inference once the messages are paid for.
"""
