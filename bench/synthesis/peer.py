"""The peer of bench/synthesis.ts: the same graph in Python's ONNX Runtime. Arguments: the number of threads, the graphs."""
import json
import sys
import time

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[1])
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
sessions = {path: ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in sys.argv[2:]}
print(json.dumps({"name": f"ONNX Runtime {ort.__version__}, Python {sys.version.split()[0]}"}), flush=True)

for line in sys.stdin:
    request = json.loads(line)
    feeds = {name: np.full(shape, 0.1, np.float32) for name, shape in request["shapes"].items()}
    start = time.process_time_ns()
    sessions[request["graph"]].run(None, feeds)
    print(json.dumps({"cpuMs": (time.process_time_ns() - start) / 1e6}), flush=True)
