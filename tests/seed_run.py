"""The two runs of `ovclient resnet` that the seeds show, on ten pictures."""

from pathlib import Path

import seed_output
from client_process import ovclient
from server_process import ServerProcess


def assert_as_shown(server: ServerProcess, shared: Path, folder: Path, seed: str, *flags: str) -> None:
    """Run both from two folders below the pictures, as there, and compare every line."""
    for name in ("imgs.npy", "lbs.npy"):
        (folder / name).symlink_to(shared / "data" / name)
    (folder / "a/b").mkdir(parents=True)
    command = "resnet --images_numpy_path ../../imgs.npy --labels_numpy_path ../../lbs.npy --input_name 0"
    command += " --output_name 1463 --transpose_input False"
    for batch in ("1", "8"):
        done = ovclient(server, *command.split(), *flags, "--batchsize", batch, folder=folder / "a/b")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("\nClassification accuracy: 100.00\n")
        assert seed_output.masked(done.stdout) == seed_output.block(shared, seed, f"b{batch}.txt")
