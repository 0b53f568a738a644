"""The peer of bench/engine.ts: the same operators called from Python, one JSON line asked, one answered."""
import json
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
print(json.dumps({"name": f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}"}), flush=True)

A, B = torch.ones(4), torch.ones(4)
GRAD = torch.ones(4, requires_grad=True)
SMALL = {
    "add": lambda: torch.add(A, B),
    "add_": lambda: A.add_(B),
    "add, recorded": lambda: torch.add(GRAD, B),
    "add 2": lambda: torch.add(A, 2),
    "view": lambda: A.view(2, 2),
    "cat": lambda: torch.cat([A, B], 0),
}


def cpu_ms_of(body, repeats):
    start = time.process_time_ns()
    for _ in range(repeats):
        body()
    return (time.process_time_ns() - start) / 1e6


def convolution(kind, x, w, stride, padding):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(x, generator=generator, requires_grad=True)
    w = torch.randn(w, generator=generator, requires_grad=True)
    operator = getattr(torch.nn.functional, kind)

    def both():
        y = operator(x, w, stride=stride, padding=padding)
        torch.autograd.grad(y.sum(), [x, w])

    return both


known = {}
for line in sys.stdin:
    request = json.loads(line)
    if "small" in request:
        body = SMALL[request["small"]]
    else:
        name = json.dumps(request["convolution"])
        body = known.setdefault(name, convolution(**request["convolution"])) if name not in known else known[name]
    print(json.dumps({"cpuMs": cpu_ms_of(body, request["repeats"])}), flush=True)
