"""Inference whose outputs come as classes where they are asked for as such."""

from ovserve import classification
from ovserve.requests import Caller, InferRequest, InferResponse
from ovserve.serving.servable import Servable


def infer(model: Servable, request: InferRequest, caller: Caller) -> InferResponse:
    """Answer `request`, which asks for classification; raises `InvalidInput` where there is none.

    Rows are along the first dimension of outputs with two or more, but where config.pbtxt says that there are no
    batches (Triton).
    """
    metadata, declared = model.metadata, model.config.declared
    label = f"model '{metadata.name}' version {metadata.version}"
    classification.check(request.classification, metadata.outputs, label)
    response = model.infer(request, caller)
    outputs = dict(response.outputs)
    for name, count in request.classification.items():
        if name in outputs:
            tensor = outputs[name]
            rank = len(tensor.shape)
            has_rows = rank > 1 if declared is None else declared.max_batch_size > 0 and rank > 0
            outputs[name] = classification.classify(
                tensor, count, model.labels.get(name, ()), f"{label}: output '{name}'", has_rows=has_rows
            )
    return response._replace(outputs=outputs)
