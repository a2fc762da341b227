"""Ten thousand mutated requests: each ends with a status of ours, and the good ones between them are answered right."""

import grpc
from tritonclient.grpc import service_pb2 as pb

from barrage import assert_is_told, fire, mutated
from mutated_requests import ON_FIELDS, Message, seeds
from server_process import ServerProcess
from wire_server import Answer, Wire

REQUESTS = 10_000
SEED = 20_251

EXPECTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,  # classification
}


def check(data: bytes, got: Answer) -> None:
    """Nothing may be made up in what comes back."""
    assert_is_told(got, EXPECTED)
    if got.code is not grpc.StatusCode.OK:
        return
    sent = Message.FromString(data)
    if sent.model_name in {"text", "grid", "pass_u8", "pass_boolean", "pass_f64"} and sent.raw_input_contents:
        back = pb.ModelInferResponse.FromString(got.data)
        assert list(back.raw_output_contents) == list(sent.raw_input_contents)
        assert list(back.outputs[0].shape) == list(sent.inputs[0].shape)


def test_ten_thousand_mutated_requests_do_no_harm(server: ServerProcess, wire: Wire) -> None:
    requests = mutated(seeds(), ON_FIELDS, seed=SEED, count=REQUESTS)
    fire(wire, requests, lambda data: wire.future("ModelInfer", data), check)
    assert server.process.poll() is None


def test_every_request_that_is_mutated_is_good_as_it_stands(wire: Wire) -> None:
    assert {wire.infer(message).code for message in seeds()} == {grpc.StatusCode.OK}
