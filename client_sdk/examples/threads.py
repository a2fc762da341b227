"""Share one client among four threads: python threads.py localhost:9000 resnet."""  # noqa: INP001 - a script

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ovclient import Client

address, model = sys.argv[1:]
with Client(address, timeout=10) as client, ThreadPoolExecutor(4) as pool:
    shape = [max(dimension, 1) for dimension in client.metadata(model).inputs[0].shape]
    images = [np.zeros(shape, np.float32) for _ in range(16)]
    print(len(list(pool.map(lambda image: client.infer(model, image), images))), "answers")
