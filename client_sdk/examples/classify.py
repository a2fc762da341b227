"""Ask a model once: python classify.py localhost:9000 resnet."""  # noqa: INP001 - a script

import sys

import numpy as np

from ovclient import Client, OVClientError

address, model = sys.argv[1:]
with Client(address) as client:
    try:
        shape = [max(dimension, 1) for dimension in client.metadata(model).inputs[0].shape]
        for name, array in client.infer(model, np.zeros(shape, np.float32)).items():
            print(name, array.dtype, array.shape)
    except OVClientError as error:
        sys.exit(f"{type(error).__name__}: {error}")
