"""PyTorch (oneDNN) as a peer of `starbox ops bench`: reads one JSON request a line, runs it once, answers the seconds.

Request: {"kind": "y"|"dx"|"dw"|"cross entropy"|"attention"|"attention backward", "shapes": [[...]], "dtype": "bf16"|"f32", "threads": n}
Requirements: scripts/peers/requirements.txt. Tensors of a request are kept, so that only the first call pays for making them.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
prepared = {}


def noise(*shape, dtype):
    return (torch.rand(*shape) - 0.5).to(dtype)


def prepare(kind, shapes, dtype):
    if kind in ("y", "dx", "dw"):
        work = []
        for m, n, k in shapes:
            x, w, dy = noise(m, k, dtype=dtype), noise(n, k, dtype=dtype), noise(m, n, dtype=dtype)
            work.append({"y": (F.linear, x, w), "dx": (torch.matmul, dy, w), "dw": (torch.matmul, dy.T, x)}[kind])
        return lambda: [f(a, b) for f, a, b in work]
    if kind == "cross entropy":
        (m, v, d), = shapes
        x, w = noise(m, d, dtype=dtype).requires_grad_(), noise(v, d, dtype=dtype)
        targets = torch.randint(0, v, (m,))

        def step():
            x.grad = None
            F.cross_entropy(F.linear(x, w).float(), targets).backward()

        return step
    (t, h, g, w), = shapes
    q = noise(1, h, t, w, dtype=dtype).requires_grad_(kind != "attention")
    k = noise(1, g, t, w, dtype=dtype).requires_grad_(kind != "attention")
    v = noise(1, g, t, w, dtype=dtype).requires_grad_(kind != "attention")
    if kind == "attention":
        return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    do = noise(1, h, t, w, dtype=dtype)
    return lambda: torch.autograd.grad(o, (q, k, v), do, retain_graph=True)


for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    key = json.dumps(request)
    if key not in prepared:
        if len(prepared) > 1:  # a case is asked for in at most two types
            prepared.clear()
        prepared[key] = prepare(request["kind"], request["shapes"], DTYPES[request["dtype"]])
    backward = "backward" in request["kind"] or request["kind"] == "cross entropy"
    with torch.set_grad_enabled(backward):
        since = time.perf_counter()
        prepared[key]()
        seconds = time.perf_counter() - since
    print(json.dumps({"seconds": seconds, "version": torch.__version__}), flush=True)
