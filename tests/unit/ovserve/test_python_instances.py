"""What an instance of a Python model gives for a list of requests, and how several instances are loaded."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import python_models
from ovserve.config.declared import TritonConfig
from ovserve.engine.python_backend.instance import Answer, Asked, Instance, Later, Reply
from ovserve.engine.python_backend.load_python import load_instances
from ovserve.errors import InferenceFailed, LoadFailed, OVServeError
from ovserve.requests import InSequence
from python_models import ARRAY, source, tensor

RESPONSE = 'pb_utils.InferenceResponse([pb_utils.Tensor("y", request.inputs()[0].as_numpy() * 2)])'
EACH = f"return [{RESPONSE} for request in requests]"
DECOUPLED = {"model_transaction_policy": {"decoupled": True}}


Load = Callable[..., Instance]


@pytest.fixture(params=["in_process", "process"])
def load(request: pytest.FixtureRequest) -> Iterator[Load]:
    """Load a model's first instance, here or in a process of its own."""
    loaded: list[Instance] = []

    def load(folder: Path, text: str, **document: Any) -> Instance:
        make = python_models.load if request.param == "in_process" else python_models.load_apart
        loaded.append(make(folder, text, **document))
        return loaded[-1]

    yield load
    for instance in loaded:
        instance.close()


class Sent:
    """What was sent, and how often the last."""

    def __init__(self) -> None:
        self.replies: list[Reply | None] = []
        self.ends = 0
        self.ended = threading.Event()

    def __call__(self, reply: Reply | None, *, final: bool) -> None:
        self.replies.append(reply)
        self.ends += final
        if final:
            self.ended.set()


def asked(*values: float, **fields: Any) -> Asked:
    return Asked({"x": tensor(values)}, ["y"], **fields)


def told(results: Any) -> list[Any]:
    return [list(one.outputs["y"].data) if isinstance(one, Answer) else str(one) for one in results]


def test_each_request_of_a_list_has_its_answer(load: Load, tmp_path: Path) -> None:
    assert told(load(tmp_path, source(EACH)).execute([asked(1), asked(2, 3)])) == [[2], [4, 6]]


def test_a_wrong_answer_among_others_fails_alone(load: Load, tmp_path: Path) -> None:
    wrong = f"""
        request = requests[0]
        error = pb_utils.InferenceResponse(error=pb_utils.TritonError("no luck"))
        return [{RESPONSE}, error, None, 7, pb_utils.InferenceResponse()]
    """
    results = load(tmp_path, source(wrong)).execute([asked(n) for n in range(5)])
    assert told(results) == [
        [0],
        "model 'm' version 1: no luck",
        "model 'm' version 1: execute returned None for the request, expected an InferenceResponse",
        "model 'm' version 1: a response must be an InferenceResponse, got int",
        "model 'm' version 1: output 'y' is missing, got none",
    ]


@pytest.mark.parametrize("execute", ["return []", "raise ValueError('no')", "return None"])
def test_what_is_wrong_with_all_is_told_to_each(load: Load, tmp_path: Path, execute: str) -> None:
    results = load(tmp_path, source(execute)).execute([asked(1), asked(2)])
    assert [type(one) for one in results] == [InferenceFailed] * 2


def test_a_request_says_where_it_stands(load: Load, tmp_path: Path) -> None:
    calls = ("correlation_id", "flags", "priority", "timeout", "parameters", "is_cancelled")
    text = "[" + ", ".join(f"requests[0].{name}()" for name in calls) + "]"
    model = load(tmp_path, source(f"raise ValueError({text})"))
    request = asked(
        1,
        parameters={"size": 3, "name": "a"},
        sequence=InSequence("s", starts=True, ends=True),
        priority=2,
        timeout_us=5,
        is_cancelled=lambda: True,
    )
    (error,) = told(model.execute([request]))
    assert error.endswith("""ValueError: ['s', 3, 2, 5, '{"size": 3, "name": "a"}', True]""")


def test_a_response_has_parameters(load: Load, tmp_path: Path) -> None:
    text = source(EACH.replace("* 2)]", '* 2)], parameters={"seen": True, "by": "m"}'))
    (answer,) = load(tmp_path, text).execute([asked(1)])
    assert isinstance(answer, Answer)
    assert answer.parameters == {"seen": True, "by": "m"}


# Response senders


def test_a_decoupled_model_sends_what_it_likes(load: Load, tmp_path: Path) -> None:
    execute = f"""
        for request in requests:
            sender = request.get_response_sender()
            for _ in range(int(request.inputs()[0].as_numpy()[0])):
                sender.send({RESPONSE})
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """
    sent = [Sent(), Sent()]
    results = load(tmp_path, source(execute), **DECOUPLED).execute([asked(0, send=sent[0]), asked(3, send=sent[1])])
    assert results == [Later.BY_SENDER] * 2
    assert [told(one.replies) for one in sent] == [["None"], [[6], [6], [6], "None"]]
    assert [one.ends for one in sent] == [1, 1]


def test_a_sender_may_be_used_after_execute_in_a_thread(load: Load, tmp_path: Path) -> None:
    execute = f"""
        request, = requests
        def work(sender=request.get_response_sender()):
            sender.send({RESPONSE}, flags=1)
        self.thread = threading.Thread(target=work)
        self.thread.start()
    """
    sent = Sent()
    model = load(tmp_path, source(execute, top="import threading"), **DECOUPLED)
    model.execute([asked(1, send=sent)])
    assert sent.ended.wait(10)
    assert told(sent.replies) == [[2]]


def test_nothing_is_sent_after_the_final_flag(load: Load, tmp_path: Path) -> None:
    execute = f"""
        request, = requests
        sender = request.get_response_sender()
        sender.send({RESPONSE}, flags=1)
        sender.send({RESPONSE})
    """
    sent = Sent()
    (result,) = load(tmp_path, source(execute), **DECOUPLED).execute([asked(1, send=sent)])
    assert str(result).endswith("a response was sent after the one that was the final one")
    assert (told(sent.replies), sent.ends) == ([[2]], 1)


@pytest.mark.parametrize("execute", ["return None", "requests[0].get_response_sender()", "del requests[:]"])
def test_a_request_that_the_model_lets_go_of_ends_with_an_error(load: Load, tmp_path: Path, execute: str) -> None:
    sent = Sent()
    load(tmp_path, source(execute), **DECOUPLED).execute([asked(1, send=sent)])
    assert sent.ended.wait(10)
    assert told(sent.replies) == [
        "model 'm' version 1: it let go of the request without sending the final flag",
    ]


def test_a_decoupled_model_that_raises_ends_the_request_once(load: Load, tmp_path: Path) -> None:
    sent = Sent()
    (result,) = load(tmp_path, source("raise ValueError('no')"), **DECOUPLED).execute([asked(1, send=sent)])
    assert str(result) == "model 'm' version 1: execute failed: ValueError: no"
    assert sent.replies == []


def test_a_decoupled_model_that_returns_responses_is_told_off(load: Load, tmp_path: Path) -> None:
    (result,) = load(tmp_path, source(EACH), **DECOUPLED).execute([asked(1)])
    assert "must return None" in str(result)


def test_a_decoupled_execute_may_be_async_and_fail(load: Load, tmp_path: Path) -> None:
    execute = f"""
        request, = requests
        await asyncio.sleep(0)
        value = request.inputs()[0].as_numpy()[0]
        request.get_response_sender().send({RESPONSE}, flags=0 if value else 1)
        1 / value
        raise ValueError("late")
    """
    text = source(execute, top="import asyncio").replace("def execute", "async def execute")
    model, sent = load(tmp_path, text, **DECOUPLED), Sent()
    assert model.execute([asked(1, send=sent)]) == [Later.BY_SENDER]
    assert sent.ended.wait(10)
    assert told(sent.replies) == [[2], "model 'm' version 1: execute failed: ValueError: late"]
    model.close()


def test_a_model_that_is_not_decoupled_may_answer_by_sender_once(load: Load, tmp_path: Path) -> None:
    execute = f"""
        for request in requests:
            request.get_response_sender().send({RESPONSE}, flags=1)
    """
    sent = Sent()
    assert load(tmp_path, source(execute)).execute([asked(1, send=sent)]) == [Later.BY_SENDER]
    assert (told(sent.replies), sent.ends) == ([[2]], 1)
    (result,) = load(tmp_path, source(execute.replace(", flags=1", ""))).execute([asked(1, send=Sent())])
    assert "exactly one response" in str(result)


def test_a_request_may_be_asked_for_again(load: Load, tmp_path: Path) -> None:
    execute = f"""
        request, = requests
        self.times += 1
        if self.times < 3:
            request.set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)
            return
        request.get_response_sender().send({RESPONSE}, flags=1)
    """
    model, sent = load(tmp_path, source(execute, methods="times = 0"), **DECOUPLED), Sent()
    results = [model.execute([asked(1, send=sent)])[0] for _ in range(3)]
    assert results == [Later.AGAIN, Later.AGAIN, Later.BY_SENDER]
    assert told(sent.replies) == [[2]]


# Readiness


@pytest.mark.parametrize(("body", "ready"), [("return True", True), ("return 0", False), ("raise SystemExit", False)])
def test_a_model_says_whether_it_is_ready(load: Load, tmp_path: Path, body: str, ready: bool) -> None:
    assert load(tmp_path, source(methods=f"def is_ready(self): {body}")).is_ready() is ready


def test_a_model_without_an_opinion_is_ready(load: Load, tmp_path: Path) -> None:
    assert load(tmp_path, source()).is_ready()


# Instances


def loaded(folder: Path, text: str, **document: Any) -> Any:
    (folder / "model.py").write_text(text)
    config = TritonConfig("m", document={"name": "m", **document})
    return load_instances(folder / "model.py", config, name="m", version=1)


def test_instances_have_tritons_names_and_modules_of_their_own(tmp_path: Path) -> None:
    text = source(
        f"return [pb_utils.InferenceResponse([pb_utils.Tensor('y', {ARRAY} + len(seen))])]",
        top="seen = []",
        methods="def initialize(self, args): seen.append(args['model_instance_name']); self.name = seen",
    )
    groups = [{"count": 2}, {"name": "more", "count": "1"}]
    instances = loaded(tmp_path, text, instance_group=groups)
    assert [one._instance.name for one in instances] == [["m_0_0"], ["m_0_1"], ["more_0"]]
    assert told(instances[1].execute([asked(1)])) == [[2]]


def test_an_instance_that_fails_ends_those_before_it(tmp_path: Path) -> None:
    methods = """
        def initialize(self, args):
            if args["model_instance_name"] == "m_0_1":
                raise ValueError("no")
        def finalize(self):
            open(LOG, "a").write("end ")
    """
    text = source(methods=methods, top=f"LOG = {str(tmp_path / 'log')!r}")
    with pytest.raises(LoadFailed, match="initialize failed: ValueError: no"):
        loaded(tmp_path, text, instance_group=[{"count": 3}])
    assert (tmp_path / "log").read_text() == "end "


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"sequence_batching": {}, "instance_group": [{"count": 2}]}, "could meet another instance"),
        ({"sequence_batching": {"control_input": [{"name": "START"}]}}, "control_input is not supported"),
    ],
)
def test_sequences_that_cannot_be_kept_together_are_refused(
    tmp_path: Path, document: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LoadFailed, match=f"'model.py': sequence_batching: .*{sentence}"):
        loaded(tmp_path, source(), **document)


def test_too_many_instances_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OVServeError, match="asks for 1000000 instances, expected at most 256"):
        loaded(tmp_path, source(), instance_group=[{"count": 1000000}])
