"""A small GGUF file by the official Python package, with what it says is in it.

    golden/bin/pip install gguf==0.19.0 numpy==2.4.6
    golden/bin/python scripts/golden/gguf_file.py

writes test/fixtures/gguf-golden.json.
"""
import base64
import json
import pathlib
import tempfile

import numpy
from gguf import GGMLQuantizationType, GGUFWriter, quantize

random = numpy.random.default_rng(7)
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "golden.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    writer.add_block_count(2)
    writer.add_layer_norm_rms_eps(0.5)
    writer.add_name("星匣 golden")
    writer.add_bool("test.yes", True)
    writer.add_int32("test.negative", -5)
    writer.add_uint64("test.large", 2**40)
    writer.add_float64("test.double", 0.1)
    writer.add_array("test.numbers", [1, -2, 3])
    writer.add_array("test.words", ["a", "二", ""])
    tensors = {}
    for name, shape, kind in (("plain", (3, 5), "F32"), ("half", (2, 7), "F16"), ("brain", (2, 32), "BF16"), ("eight", (4, 64), "Q8_0"), ("four", (3, 32), "Q4_0"),
                              ("five", (2, 64), "Q5_0"), ("four_one", (2, 32), "Q4_1"), ("cube", (2, 3, 4), "F32")):
        kind = GGMLQuantizationType[kind]
        data = random.standard_normal(shape, dtype=numpy.float32)
        data = data if kind.name == "F32" else data.astype(numpy.float16) if kind.name == "F16" else quantize(data, kind)
        writer.add_tensor(name, data, raw_dtype=None if kind.name in ("F32", "F16") else kind)
        tensors[name] = {"type": int(kind), "shape": list(shape), "bytes": base64.b64encode(data.tobytes()).decode()}
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    metadata = {"general.architecture": "llama", "general.alignment": 64, "llama.block_count": 2, "llama.attention.layer_norm_rms_epsilon": 0.5, "general.name": "星匣 golden",
                "test.yes": True, "test.negative": -5, "test.large": 2**40, "test.double": 0.1, "test.numbers": [1, -2, 3], "test.words": ["a", "二", ""]}
    target = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "gguf-golden.json"
    target.write_text(json.dumps({"file": base64.b64encode(path.read_bytes()).decode(), "metadata": metadata, "tensors": tensors}, ensure_ascii=False) + "\n")
    print(target, target.stat().st_size, "bytes")
