"""A repository of many models: how long the start takes, how soon a new model is noticed, what looking costs.

    python tests/perf/many_models.py [models] [new models]

The models are small ones of our own. Noticed means: from the last byte copied to the first right answer.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import small_models
from ovclient import Client, OVClientError
from ovserve.bench import cpu
from ovserve.bench.cells import ratio
from ovserve.bench.summary import spread
from server_process import ServerProcess

IDLE_S = 10


def is_answered(client: Client, name: str) -> bool:
    try:
        return client.infer(name, np.zeros((1, 2), np.float32))["y"].tolist() == [[1, 1]]
    except OVClientError:
        return False


def main(models: int = 200, new: int = 10) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository, elsewhere = Path(folder) / "repository", Path(folder) / "elsewhere"
        for number in range(models):
            small_models.save(small_models.add_one([1, 2]), repository / f"m{number}/1")
        for mode in ("watch", "poll"):
            started_s = time.monotonic()
            server = ServerProcess("--model_repository", str(repository), "--model_control_mode", mode)
            print(f"{mode}: {models} models served {time.monotonic() - started_s:.2f} s after the command")
            before_s = cpu.process_s(server.process.pid)
            time.sleep(IDLE_S)
            idle = (cpu.process_s(server.process.pid) - before_s) / IDLE_S
            print(f"{mode}: {100 * idle:.1f} % of a core while nothing happens")
            noticed_s = []
            with Client(server.address) as client:
                for number in range(new):
                    name = f"{mode}{number}"
                    small_models.save(small_models.add_one([1, 2]), elsewhere / name / "1")
                    (elsewhere / name).rename(repository / name)
                    copied_s = time.monotonic()
                    while not is_answered(client, name):
                        time.sleep(0.01)
                    noticed_s.append(time.monotonic() - copied_s)
            server.stop()
            print(f"{mode}: a new model answers after {ratio(spread(noticed_s))} s, {max(noticed_s):.2f} at most")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
