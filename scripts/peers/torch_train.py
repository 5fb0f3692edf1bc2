"""PyTorch + PEFT, eager, as a peer of `starbox bench train`: reads one JSON line a request from stdin, answers one JSON line.

    pip install -r scripts/golden/model-requirements.txt peft==0.21.2

The first line names a folder by src/app/train-peer.ts (model.json, weights.bin as bf16) and settings; then {"do": "step"...} or {"do": "run"...}.
bf16 where the processor multiplies it, else f32 (bf16 is emulated there and slower). Rows come as token ids: no tokenizer is needed.
"""
import json
import pathlib
import sys
import time

import numpy
import peft
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden"))
import models  # noqa: E402


def load(folder, dtype):
    about = json.loads((pathlib.Path(folder) / "model.json").read_text())
    meta, tensors = about["metadata"], about["tensors"]
    data = numpy.memmap(pathlib.Path(folder) / "weights.bin", dtype=numpy.uint16, mode="r")

    def weight(name):
        tensor = tensors[name]
        count = int(numpy.prod(tensor["shape"]))
        bits = numpy.array(data[tensor["at"]:tensor["at"] + count]).astype(numpy.uint32) << 16
        return torch.from_numpy(bits.view(numpy.float32)).reshape(tensor["shape"])

    torch.set_default_dtype(dtype)
    model = models.build(meta, lambda name: name in tensors)
    models.fill(model, meta, [name for name in tensors if name != "rope_freqs.weight"], weight)
    torch.set_default_dtype(torch.float32)
    return model


def has_bf16():
    flags = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Peer:
    def __init__(self, settings):
        torch.set_num_threads(settings["threads"])
        self.settings = settings
        self.dtype = torch.bfloat16 if has_bf16() else torch.float32
        self.base = load(settings["folder"], self.dtype)
        self.model = None

    def fresh(self, seed):
        torch.manual_seed(seed)
        if self.model is not None:
            self.base = self.model.unload()
        s = self.settings
        config = peft.LoraConfig(r=s["rank"], lora_alpha=s["alpha"], lora_dropout=0.0, task_type="CAUSAL_LM", target_modules=s["targets"])
        self.model = peft.get_peft_model(self.base, config)
        self.model.train()
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=s["learningRate"], weight_decay=0.0)

    def step(self, rows, rate):
        """One batch, padded to its longest row; loss over learned tokens."""
        longest = max(len(row["ids"]) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        labels = torch.full((len(rows), longest), -100, dtype=torch.long)
        for i, row in enumerate(rows):
            n = len(row["ids"])
            ids[i, :n] = torch.tensor(row["ids"])
            mask[i, :n] = 1
            labels[i, :n] = torch.tensor([id if w > 0 else -100 for id, w in zip(row["ids"], row["weights"])])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def right(self, row):
        """Would greedy decoding give exactly the answer? Then every learned token is the likeliest after those before it."""
        with torch.no_grad():
            logits = self.model(input_ids=torch.tensor([row["ids"]]), use_cache=False).logits[0]
        return all(w == 0 or int(logits[at - 1].argmax()) == row["ids"][at] for at, w in enumerate(row["weights"]) if at > 0)

    def answer(self, request):
        if request["do"] == "step":
            if self.model is None:
                self.fresh(0)
            since = time.perf_counter()
            loss = self.step(request["rows"], request["rate"])
            return {"seconds": time.perf_counter() - since, "loss": loss}
        self.fresh(request["seed"])
        since = time.perf_counter()
        losses = [self.step(batch["rows"], batch["rate"]) for batch in request["batches"]]
        seconds = time.perf_counter() - since
        self.model.eval()
        right = sum(self.right(row) for row in request["heldOut"])
        return {"seconds": seconds, "loss": losses[-1], "right": right}


def main():
    peer = Peer(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True, "dtype": str(peer.dtype), "torch": torch.__version__, "peft": peft.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(peer.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
