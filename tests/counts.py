"""What a server counts, as its clients see it."""

import urllib.request

import tritonclient.grpc as triton

from server_process import ServerProcess


def counted(server: ServerProcess, model: str = "m") -> tuple[int, int, int, dict[int, int]]:
    """Requests, inferences, executions, and these by batch size."""
    with triton.InferenceServerClient(server.address) as client:
        (found,) = client.get_inference_statistics(model).model_stats
    batches = {batch.batch_size: batch.compute_infer.count for batch in found.batch_stats}
    return found.inference_stats.success.count, found.inference_count, found.execution_count, batches


def metrics(server: ServerProcess, key: str = "") -> str:
    request = urllib.request.Request(f"http://{server.rest_address}/metrics", headers={"x-api-key": key})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        shown: str = answer.read().decode()
    return shown
