"""Counts as Triton's clients read them."""

from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovserve.dataplane import VersionStatistics
from ovserve.serving.statistics import Duration


def model_statistics(found: VersionStatistics) -> Any:
    """Write the counts of one version."""
    counts = found.counts
    return pb.ModelStatistics(
        name=found.name,
        version=str(found.version),
        last_inference=counts.last_inference_ms,
        inference_count=counts.inferences,
        execution_count=counts.executions,
        inference_stats=pb.InferStatistics(
            success=_duration(counts.success),
            fail=_duration(counts.fail),
            queue=_duration(counts.queue),
            compute_input=_duration(counts.compute_input),
            compute_infer=_duration(counts.compute_infer),
            compute_output=_duration(counts.compute_output),
        ),
        batch_stats=[
            pb.InferBatchStatistics(
                batch_size=size,
                compute_input=_duration(times.compute_input),
                compute_infer=_duration(times.compute_infer),
                compute_output=_duration(times.compute_output),
            )
            for size, times in counts.batches.items()
        ],
    )


def _duration(duration: Duration) -> Any:
    return pb.StatisticDuration(count=duration.count, ns=duration.ns)
