"""The examples that --help teaches by, one text a command."""

APP = """Examples:
  ovclient live --grpc_port 9000
  ovclient live --http_port 8000
  ovclient status
  ovclient models list
  ovclient metadata resnet
  ovclient pipeline show resnet50DAG
  ovclient resnet --batchsize 8
  ovclient face-detection --input_images_dir photos --output_dir results
  ovclient bench resnet --concurrency 1:8

ovclient COMMAND --help tells more.
Flags are taken with _ and with -, as --flag value and as --flag=value.
"""

RESNET = """Examples:
  Packaged photographs, to see that a server works:
    ovclient resnet
  Your pictures, eight in a request:
    ovclient resnet --images cat.jpg holidays --batchsize 8
  The same files, decoded and resized by the server:
    ovclient resnet --images cat.jpg holidays --batchsize 8 --binary
  OVMS's list of files and classes:
    ovclient resnet --images_list input_images.txt --binary
  OVMS's data files, with the accuracy:
    ovclient resnet --images_numpy_path imgs.npy --labels_numpy_path lbs.npy
  A pipeline with a demultiplexer:
    ovclient resnet --model_name resnet50DAG --dag-batch-size-auto
  Over REST:
    ovclient resnet --http_port 8000
  Figures for a script:
    ovclient resnet --iterations 100 --json > figures.json
"""

FACE_DETECTION = """Examples:
  Packaged portraits:
    ovclient face-detection
  Your pictures, boxes drawn into results/:
    ovclient face-detection --input_images_dir photos --output_dir results
  A model that takes any size, only sure faces, for machines:
    ovclient face-detection --width 600 --height 400 --confidence 0.9 --json
"""

BENCH = """Examples:
  One client, five seconds:
    ovclient bench resnet
  From one client to eight, eight pictures in a request:
    ovclient bench resnet --concurrency 1:8 --batchsize 8
  A model that takes any size; figures for a script:
    ovclient bench face-detection --shape 1,3,300,300 --concurrency 1:9:4 --json > figures.json
  Your data, for one of several inputs:
    ovclient bench bert --input input_ids=ids.npy --shape attention_mask:1,128
"""

MODELS = """Examples:
  ovclient models list
  ovclient models load resnet
  ovclient models unload resnet
  ovclient models watch

ovclient models COMMAND --help tells more.
"""

MODELS_LIST = """Examples:
  ovclient models list
  What can answer, for a script:
    ovclient models list --ready --json
"""

MODELS_LOAD = """Examples:
  What lies in the repository:
    ovclient models load resnet
  The same with another configuration:
    ovclient models load resnet --config '{"backend": "openvino"}'
    ovclient models load resnet --config resnet.json --timeout 1800
  A model that is not in the repository:
    ovclient models load mine --config mine.json --file 1/model.onnx=my.onnx
"""

MODELS_UNLOAD = """Examples:
  ovclient models unload resnet
  An ensemble, and the models that only it needed:
    ovclient models unload pipeline --unload_dependents
"""

MODELS_WATCH = """Examples:
  ovclient models watch
  Twice a second, into a file:
    ovclient models watch --interval 0.5 > changes.log
  For a program, one JSON document a line:
    ovclient models watch --json
"""

PIPELINE = """Examples:
  ovclient pipeline show resnet50DAG

ovclient pipeline COMMAND --help tells more.
"""

PIPELINE_SHOW = """Examples:
  ovclient pipeline show resnet50DAG
  As a picture, with Graphviz:
    ovclient pipeline show resnet50DAG --dot | dot -Tsvg > resnet50DAG.svg
  For a program:
    ovclient pipeline show resnet50DAG --json
"""

METADATA = """Examples:
  ovclient metadata resnet
  ovclient metadata --model_name resnet --model_version 2 --json
"""

STATUS = """Examples:
  ovclient status
  ovclient status resnet --grpc_address example.org --tls --server_cert ca.pem
  ovclient status --model_name resnet --model_version 2 --http_port 8000
"""

LIVE = """Examples:
  ovclient live && echo up
"""

READY = """Examples:
  ovclient ready
  ovclient ready resnet --timeout 2
"""
