"""Golden values of operators, forward and backward, by an implementation that shares nothing with ours: PyTorch in float64.

    python3 -m venv golden && golden/bin/pip install -r scripts/golden/ops-requirements.txt
    golden/bin/python scripts/golden/ops.py

writes test/fixtures/ops-golden.json. A case: the operator's operands in order (null: left out), its parameters, its first outputs,
a random upstream gradient of the first output, and the gradient of each operand that has one.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(20260)
torch.set_default_dtype(torch.float64)
cases = []


def flat(tensor):
    # Ten digits: three more than the comparison looks at.
    return [float(f"{value:.10g}") for value in tensor.detach().reshape(-1).tolist()]


def rounded(*shape):
    """Random numbers that f32 holds exactly."""
    return torch.randn(*shape, dtype=torch.float32).double()


def case(name, op, inputs, params, compute, outputs=1):
    """`inputs`: tensors (floats are differentiated), lists of rows of whole numbers, or None."""
    leaves = [i.clone().requires_grad_(True) if isinstance(i, torch.Tensor) and i.is_floating_point() else i for i in inputs]
    results = compute(*leaves)
    results = results if isinstance(results, tuple) else (results,)
    upstream = torch.rand_like(results[0]).float().double() * 2 - 1
    floats = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    gradients = iter(torch.autograd.grad((results[0] * upstream).sum(), floats, allow_unused=True))
    cases.append({
        "name": name,
        "op": op,
        "params": params,
        "inputs": [None if i is None else {"dtype": "f32" if i.is_floating_point() else "i32", "shape": list(i.shape),
                                            "values": flat(i) if i.is_floating_point() else i.reshape(-1).tolist()} for i in inputs],
        "outputs": [flat(result) for result in results[:outputs]],
        "upstream": flat(upstream),
        "gradients": [None if g is None else flat(g) for g in
                      (next(gradients) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else None for leaf in leaves)],
    })


def attention_of(mask, scale):
    """q [T, H, D], k and v [T, Hk, D]; mask [T, T] says what is seen."""
    def compute(q, k, v, *_):
        repeat = q.shape[1] // k.shape[1]
        heads = [x.transpose(0, 1).unsqueeze(0) for x in (q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1))]
        return F.scaled_dot_product_attention(*heads, attn_mask=mask, scale=scale)[0].transpose(0, 1)
    return compute


row, column = torch.arange(7)[:, None], torch.arange(7)[None, :]
one_text = torch.tensor([[0, 7, -1]], dtype=torch.int32)
qkv = lambda: [rounded(7, 4, 6), rounded(7, 2, 6), rounded(7, 2, 6)]
case("causal, grouped heads", "attention", [*qkv(), one_text, None], {"scale": 0.4}, attention_of(column <= row, 0.4))
case("sliding window", "attention", [*qkv(), one_text, None], {"scale": 0.4, "window": 3}, attention_of((column <= row) & (row - column < 3), 0.4))
case("bidirectional", "attention", [*qkv(), one_text, None], {"scale": 0.4, "causal": 0}, attention_of(torch.ones(7, 7, dtype=torch.bool), 0.4))
# A prefix of 3 rows and two branches of 2 that see it but not each other.
branch = torch.tensor([0, 0, 0, 1, 1, 2, 2])
tree = (column <= row) & ((branch[None, :] == 0) | (branch[None, :] == branch[:, None]))
case("shared prefix", "attention", [*qkv(), torch.tensor([[0, 3, -1], [3, 5, 0], [5, 7, 0]], dtype=torch.int32), None], {"scale": 0.4}, attention_of(tree, 0.4))

case("with eps", "rmsNorm", [rounded(3, 10), rounded(10)], {"eps": 1e-3}, lambda x, w: F.rms_norm(x, (10,), w, eps=1e-3))
case("Gemma's offset", "rmsNorm", [rounded(3, 10), rounded(10)], {"eps": 1e-6, "offset": 1}, lambda x, w: F.rms_norm(x, (10,), 1 + w, eps=1e-6))
case("with eps", "layerNorm", [rounded(3, 10), rounded(10), rounded(10)], {"eps": 1e-5}, lambda x, w, b: F.layer_norm(x, (10,), w, b, eps=1e-5))

positions = torch.tensor([0, 3, 1000, 17], dtype=torch.int32)


def rope_halves(x, _positions, _factors):
    """As Llama in Hugging Face's transformers: x cos + rotate_half(x) sin."""
    half = x.shape[-1] // 2
    frequencies = 1.0 / 10000 ** (torch.arange(0, 2 * half, 2) / (2 * half))
    angles = torch.cat([positions[:, None] * frequencies] * 2, -1)[:, None, :]
    return x * angles.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * angles.sin()


def rope_pairs(x, _positions, _factors):
    """As Meta's Llama: neighbouring numbers are a complex one, turned by e^(i angle)."""
    frequencies = 1.0 / 10000 ** (torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    turn = torch.polar(torch.ones(4, frequencies.shape[0]), positions[:, None] * frequencies)[:, None, :]
    return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turn).flatten(-2)


case("halves", "rope", [rounded(4, 2, 8), positions, None], {"n": 8}, rope_halves)
case("interleaved", "rope", [rounded(4, 2, 8), positions, None], {"n": 8, "interleaved": 1}, rope_pairs)

case("silu gate", "swiglu", [rounded(3, 7), rounded(3, 7)], {}, lambda gate, up: F.silu(gate) * up)
case("gelu gate", "geglu", [rounded(3, 7), rounded(3, 7)], {}, lambda gate, up: F.gelu(gate, approximate="tanh") * up)
case("error function", "gelu", [rounded(20) * 2], {}, F.gelu)
case("tanh", "geluTanh", [rounded(20) * 2], {}, lambda x: F.gelu(x, approximate="tanh"))
case("rows", "softmax", [rounded(3, 9)], {}, lambda x: F.softmax(x, -1))
case("rows", "l2Normalize", [rounded(3, 9)], {"eps": 1e-12}, lambda x: F.normalize(x, eps=1e-12))
case("lookup", "embedding", [rounded(6, 5), torch.tensor([1, 5, 1, 0], dtype=torch.int32)], {}, lambda table, ids: F.embedding(ids.long(), table))

targets = torch.tensor([4, 0, -1, 10, 4], dtype=torch.int32)
case("skipped target", "linearCrossEntropy", [rounded(5, 6), rounded(11, 6), targets], {"withDx": 1},
     lambda x, w, t: F.cross_entropy(x @ w.T, t.long(), reduction="none", ignore_index=-1))
case("chosen tokens", "logProbabilities", [rounded(3, 9), torch.tensor([0, 8, 3], dtype=torch.int32)], {},
     lambda x, ids: F.log_softmax(x, -1).gather(1, ids.long()[:, None])[:, 0])
case("bias, silu, residual", "linear", [rounded(4, 6), rounded(5, 6), rounded(5), rounded(4, 5)], {"activation": 4},
     lambda x, w, b, r: F.silu(F.linear(x, w, b)) + r)
scales = torch.tensor([1.5, 0.5])
group = torch.tensor([0, 1, 1, 0], dtype=torch.int32)
case("two adapters", "loraLinear", [rounded(4, 6), rounded(5, 6), rounded(2, 3, 6), rounded(2, 5, 3), scales, group, None, None], {},
     lambda x, w, a, b, s, g, *_: x @ w.T + s.detach()[g.long(), None] * torch.einsum("mr,mnr->mn", torch.einsum("mk,mrk->mr", x, a[g.long()]), b[g.long()]))

# AdamW: PyTorch's own optimiser takes two steps; the case is the second.
parameter = torch.nn.Parameter(rounded(9))
optimizer = torch.optim.AdamW([parameter], lr=1e-2, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
parameter.grad = rounded(9)
optimizer.step()
before = [parameter.detach().clone(), rounded(9), *(optimizer.state[parameter][key].clone() for key in ("exp_avg", "exp_avg_sq"))]
parameter.grad = before[1]
optimizer.step()
after = [parameter, optimizer.state[parameter]["exp_avg"], optimizer.state[parameter]["exp_avg_sq"]]
cases.append({
    "name": "second step", "op": "adamw", "params": {"beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weightDecay": 0.1},
    "inputs": [{"dtype": "f32", "shape": [9], "values": flat(tensor)} for tensor in before] + [{"dtype": "f32", "shape": [3], "values": [1e-2, 2, 1]}],
    "outputs": [flat(tensor) for tensor in after],
})

path = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "ops-golden.json"
path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], "cases": cases}) + "\n")
print(f"{len(cases)} cases, {path.stat().st_size} bytes: {path}")
