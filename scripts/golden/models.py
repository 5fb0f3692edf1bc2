"""Golden values of whole models, layer by layer, by implementations that share nothing with ours: Hugging Face's transformers on PyTorch.

    python3 -m venv golden && golden/bin/pip install -r scripts/golden/model-requirements.txt
    golden/bin/python scripts/golden/models.py tiny            every family with small random weights, in float64, with gradients
    golden/bin/python scripts/golden/models.py folders         the same small models as Hugging Face saves them (test/fixtures/huggingface)
    golden/bin/python scripts/golden/models.py real DIR        a model exported by scripts/golden/export-weights.ts, in float32

`tiny` writes test/fixtures/models-golden.json: all values. `real` writes src/alignment/golden/NAME.json: of every layer and token its norm,
its first numbers and its products with vectors of random signs. Weights of tiny models come from a generator that both sides have.
"""
import json
import math
import pathlib
import struct
import sys

import numpy
import torch
import transformers

root = pathlib.Path(__file__).parents[2]


def seed_of(text):
    value = 2166136261
    for letter in text:
        value = ((value ^ ord(letter)) * 16777619) & 0xFFFFFFFF
    return value


def random_numbers(seed, count):
    """mulberry32, as src/compute/backends/reference/sample-values.ts."""
    state, numbers = seed, []
    imul = lambda a, b: (a * b) & 0xFFFFFFFF
    for _ in range(count):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = imul(state ^ (state >> 15), 1 | state)
        t = ((t + imul(t ^ (t >> 7), 61 | t)) & 0xFFFFFFFF) ^ t
        numbers.append(((t ^ (t >> 14)) & 0xFFFFFFFF) / 2**32)
    return numbers


def uniform(name, shape):
    return torch.tensor([2 * v - 1 for v in random_numbers(seed_of(name), math.prod(shape))], dtype=torch.float64).reshape(shape)


def digits(tensor, count=9):
    return [float(f"{v:.{count}g}") for v in tensor.detach().double().reshape(-1).tolist()]


# ── From GGUF's metadata and names to transformers' ──


def build(meta, has):
    """A model of transformers with the settings that the file's metadata name."""
    family = meta["general.architecture"]
    get = lambda key, fallback=None: meta.get(f"{family}.{key}", fallback)
    width, heads, vocabulary = get("embedding_length"), get("attention.head_count"), meta["vocabulary"]
    shared = dict(vocab_size=vocabulary, hidden_size=width, num_hidden_layers=get("block_count"), num_attention_heads=heads,
                  intermediate_size=get("feed_forward_length"), max_position_embeddings=get("context_length"), attn_implementation="sdpa")
    if family == "bert":
        config = transformers.BertConfig(**shared, hidden_act="gelu", layer_norm_eps=get("attention.layer_norm_epsilon"), type_vocab_size=2,
                                         hidden_dropout_prob=0, attention_probs_dropout_prob=0)
        return transformers.BertModel(config, add_pooling_layer=False)
    head_width = get("attention.key_length", width // heads)
    rope = {"rope_type": "default", "rope_theta": get("rope.freq_base", 1000000.0 if family == "gemma3" else 10000.0)}
    shared |= dict(num_key_value_heads=get("attention.head_count_kv"), rms_norm_eps=get("attention.layer_norm_rms_epsilon"), head_dim=head_width,
                   tie_word_embeddings=not has("output.weight"))
    if family == "gemma3":
        pattern = get("attention.sliding_window_pattern", 6)
        kinds = ["full_attention" if (layer + 1) % pattern == 0 else "sliding_attention" for layer in range(shared["num_hidden_layers"])]
        config = transformers.Gemma3TextConfig(
            **shared, hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=head_width, sliding_window=get("attention.sliding_window"),
            layer_types=kinds, rope_parameters={"full_attention": rope, "sliding_attention": {"rope_type": "default", "rope_theta": get("rope.freq_base_swa", 10000.0)}})
        return transformers.Gemma3ForCausalLM(config)
    kinds = {"llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM), "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
             "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM)}
    config, model = kinds[family]
    return model(config(**shared, rope_parameters=rope))


def unpermuted(weight, heads):
    """llama's GGUF files hold the rows of queries and keys with the pairs of a rotation side by side; transformers has them half a head apart."""
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


decoder_names = {
    "attn_norm.weight": "input_layernorm.weight", "ffn_norm.weight": "post_attention_layernorm.weight",
    **{f"attn_{x}.{p}": f"self_attn.{x}_proj.{p}" for x in "qkv" for p in ("weight", "bias")},
    "attn_output.weight": "self_attn.o_proj.weight", "attn_q_norm.weight": "self_attn.q_norm.weight", "attn_k_norm.weight": "self_attn.k_norm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight", "ffn_up.weight": "mlp.up_proj.weight", "ffn_down.weight": "mlp.down_proj.weight",
}
gemma_names = {**decoder_names, "post_attention_norm.weight": "post_attention_layernorm.weight", "ffn_norm.weight": "pre_feedforward_layernorm.weight",
               "post_ffw_norm.weight": "post_feedforward_layernorm.weight"}
bert_names = {
    **{f"attn_{short}.{p}": f"attention.self.{long}.{p}" for short, long in (("q", "query"), ("k", "key"), ("v", "value")) for p in ("weight", "bias")},
    **{f"{short}.{p}": f"{long}.{p}" for short, long in (("attn_output", "attention.output.dense"), ("attn_output_norm", "attention.output.LayerNorm"),
       ("ffn_up", "intermediate.dense"), ("ffn_down", "output.dense"), ("layer_output_norm", "output.LayerNorm")) for p in ("weight", "bias")},
}


def target_name(family, name):
    if name.startswith("blk."):
        _, layer, rest = name.split(".", 2)
        if family == "bert":
            return f"encoder.layer.{layer}.{bert_names[rest]}"
        return f"model.layers.{layer}.{(gemma_names if family == 'gemma3' else decoder_names)[rest]}"
    if family == "bert":
        return {"token_embd.weight": "embeddings.word_embeddings.weight", "position_embd.weight": "embeddings.position_embeddings.weight",
                "token_types.weight": "embeddings.token_type_embeddings.weight", "token_embd_norm.weight": "embeddings.LayerNorm.weight",
                "token_embd_norm.bias": "embeddings.LayerNorm.bias"}[name]
    return {"token_embd.weight": "model.embed_tokens.weight", "output.weight": "lm_head.weight", "output_norm.weight": "model.norm.weight"}[name]


def converted(meta, name, weight):
    family = meta["general.architecture"]
    if family == "gemma3" and name.endswith("norm.weight"):
        return weight - 1  # transformers adds the one, GGUF holds it
    if family == "llama" and ("attn_q." in name or "attn_k." in name):
        heads = meta[f"{family}.attention.head_count" + ("" if "attn_q." in name else "_kv")]
        return unpermuted(weight, heads)
    return weight


def fill(model, meta, names, weight_of):
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name in names:
            target = own.pop(target_name(meta["general.architecture"], name))
            target.copy_(converted(meta, name, weight_of(name)))
    assert not own or list(own) == ["lm_head.weight"], list(own)


def run(model, meta, ids):
    """Every stage's rows by name, as `ops verify` has them."""
    stages = {}
    keep = lambda name: lambda _module, _inputs, output: stages.__setitem__(name, (output[0] if isinstance(output, tuple) else output)[0])
    bert = meta["general.architecture"] == "bert"
    layers = model.encoder.layer if bert else model.model.layers
    (model.embeddings if bert else model.model.embed_tokens).register_forward_hook(keep("embedding"))
    for i, layer in enumerate(layers):
        layer.register_forward_hook(keep(f"blk.{i}"))
    if not bert:
        model.model.norm.register_forward_hook(keep("output_norm"))
    result = model(input_ids=torch.tensor([ids]), **({} if bert else {"use_cache": False}))
    stages["pooled" if bert else "logits"] = result.last_hidden_state[0].mean(0, keepdim=True) if bert else result.logits[0]
    return stages


# ── Tiny models ──

tiny = {
    "llama": {"head_count": 4, "kv": 2, "head_width": 4},
    "qwen2": {"head_count": 4, "kv": 2, "head_width": 4, "biases": True},
    "qwen3": {"head_count": 4, "kv": 2, "head_width": 6, "head_norms": True, "tied": True},
    "gemma3": {"head_count": 4, "kv": 1, "head_width": 6, "head_norms": True, "tied": True, "post_norms": True},
    "bert": {"head_count": 4},
}


def tiny_model(family, head_count, kv=0, head_width=4, biases=False, head_norms=False, tied=False, post_norms=False):
    width, forward, vocabulary, layers = 16, 20, 23, 4 if family == "gemma3" else 2
    key = lambda name: f"{family}.{name}"
    meta = {"general.architecture": family, "vocabulary": vocabulary, key("block_count"): layers, key("embedding_length"): width,
            key("attention.head_count"): head_count, key("feed_forward_length"): forward, key("context_length"): 64}
    shapes = {"token_embd.weight": [vocabulary, width]}
    if family == "bert":
        meta[key("attention.layer_norm_epsilon")] = 1e-5
        shapes |= {"position_embd.weight": [64, width], "token_types.weight": [2, width], "token_embd_norm.weight": [width], "token_embd_norm.bias": [width]}
        for i in range(layers):
            for name, shape in (("attn_q", [width, width]), ("attn_k", [width, width]), ("attn_v", [width, width]), ("attn_output", [width, width]),
                                ("attn_output_norm", [width]), ("ffn_up", [forward, width]), ("ffn_down", [width, forward]), ("layer_output_norm", [width])):
                shapes |= {f"blk.{i}.{name}.weight": shape, f"blk.{i}.{name}.bias": [shape[0]]}
        return meta, shapes
    meta |= {key("attention.head_count_kv"): kv, key("attention.key_length"): head_width, key("attention.layer_norm_rms_epsilon"): 1e-5,
             key("rope.freq_base"): 700.0, key("rope.dimension_count"): head_width}
    if family == "gemma3":
        meta |= {key("attention.sliding_window"): 4, key("attention.sliding_window_pattern"): 3, key("rope.freq_base_swa"): 90.0}
    for i in range(layers):
        shapes |= {f"blk.{i}.{name}.weight": shape for name, shape in (
            ("attn_norm", [width]), ("attn_q", [head_count * head_width, width]), ("attn_k", [kv * head_width, width]), ("attn_v", [kv * head_width, width]),
            ("attn_output", [width, head_count * head_width]), ("ffn_norm", [width]), ("ffn_gate", [forward, width]), ("ffn_up", [forward, width]),
            ("ffn_down", [width, forward]))}
        if biases:
            shapes |= {f"blk.{i}.attn_{x}.bias": [n * head_width] for x, n in (("q", head_count), ("k", kv), ("v", kv))}
        if head_norms:
            shapes |= {f"blk.{i}.attn_{x}_norm.weight": [head_width] for x in "qk"}
        if post_norms:
            shapes |= {f"blk.{i}.post_attention_norm.weight": [width], f"blk.{i}.post_ffw_norm.weight": [width]}
    shapes["output_norm.weight"] = [width]
    if not tied:
        shapes["output.weight"] = [vocabulary, width]
    return meta, shapes


def tiny_weight(family, name, shape):
    value = uniform(f"{family} {name}", shape).float().double()
    return (1 + 0.25 * value).float().double() if "norm.weight" in name else (0.6 * value).float().double()


def write_tiny():
    torch.set_default_dtype(torch.float64)
    ids = [3, 17, 2, 22, 9, 9, 14, 5, 1]
    cases = []
    for family, options in tiny.items():
        meta, shapes = tiny_model(family, **options)
        model = build(meta, lambda name: name in shapes)
        fill(model, meta, shapes, lambda name: tiny_weight(family, name, shapes[name]))
        stages = run(model, meta, ids)
        last = list(stages)[-1]
        (stages[last] * uniform(f"{family} upstream", stages[last].shape)).sum().backward()
        own, gradients = dict(model.named_parameters()), {}
        for name, shape in shapes.items():
            probe = converted({**meta, "general.architecture": family if family != "gemma3" else "qwen3"}, name, uniform(f"{family} {name} probe", shape))
            gradient = own[target_name(family, name)].grad
            gradients[name] = [*digits(gradient.norm()), *digits((gradient * probe).sum())]
        cases.append({"family": family, "metadata": meta, "shapes": shapes, "stages": {name: digits(value) for name, value in stages.items()}, "gradients": gradients})
    path = root / "test" / "fixtures" / "models-golden.json"
    path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__, "ids": ids, "cases": cases}) + "\n")
    print(path, path.stat().st_size, "bytes")


def write_folders():
    """The weights of `tiny` in transformers' own files: bf16 and float32, whole and in shards; BERT's also as XLM-R, whose positions begin at 2."""
    torch.set_default_dtype(torch.float64)
    place = root / "test" / "fixtures" / "huggingface"
    for family, options in tiny.items():
        meta, shapes = tiny_model(family, **options)
        model = build(meta, lambda name: name in shapes)
        fill(model, meta, shapes, lambda name: tiny_weight(family, name, shapes[name]))
        model.float().save_pretrained(place / family, max_shard_size="6KB" if family == "qwen3" else "1GB")
        if family == "bert":
            config = {**model.config.to_dict(), "max_position_embeddings": 66, "pad_token_id": 1}
            for key in ("model_type", "architectures", "transformers_version", "dtype"):
                config.pop(key, None)
            other = transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**config), add_pooling_layer=False).float()
            weights = model.state_dict()
            rows = weights["embeddings.position_embeddings.weight"]
            weights["embeddings.position_embeddings.weight"] = torch.cat([torch.full((2, rows.shape[1]), 9.0), rows])
            other.load_state_dict(weights, strict=False)
            other.save_pretrained(place / "xlm-roberta")
    print(sum(path.stat().st_size for path in place.rglob("*") if path.is_file()), "bytes in", place)


# ── Real models ──


def signs(count, probe):
    return torch.tensor([1.0 if v < 0.5 else -1.0 for v in random_numbers(seed_of(f"signs {probe}"), count)], dtype=torch.float64)


def write_real(folder):
    folder = pathlib.Path(folder)
    described = json.loads((folder / "model.json").read_text())
    meta, tensors = described["metadata"], described["tensors"]
    data = numpy.memmap(folder / "weights.bin", dtype=numpy.float32, mode="r")
    weight_of = lambda name: torch.from_numpy(numpy.array(data[tensors[name]["at"]: tensors[name]["at"] + math.prod(tensors[name]["shape"])])).reshape(tensors[name]["shape"])
    model = build(meta, lambda name: name in tensors).float().eval()
    fill(model, meta, tensors, weight_of)
    with torch.no_grad():
        stages = run(model, meta, described["ids"])
    fingerprint = lambda row, probes: [*digits(row.norm(), 7), *digits(row[:4], 7), *[digits((row.double() * probe).sum(), 7)[0] for probe in probes]]
    last = stages["pooled" if "pooled" in stages else "logits"]
    # Every n-th number of the last stage as it is, and the largest of all: what "relative to the largest logit" is judged by.
    every = max(1, last.shape[1] // 97)
    values = {"every": every, "largest": float(f"{last.abs().max():.7g}"), "rows": [digits(row[::every], 8) for row in last]}
    layers = {}
    for name, rows in stages.items():
        probes = [signs(rows.shape[1], i) for i in range(3)]
        layers[name] = [fingerprint(row, probes) for row in rows]
    path = root / "src" / "alignment" / "golden" / f"{described['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"by": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, float32", "sha256": described["sha256"],
                                "ids": described["ids"], "values": values, "stages": layers}).replace('], "', '],\n"') + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    if sys.argv[1:2] == ["tiny"]:
        write_tiny()
    elif sys.argv[1:2] == ["folders"]:
        write_folders()
    else:
        write_real(sys.argv[2])
