"""Are the logits of Hugging Face's PEFT with an adapter those of our trainer? On the same base weights, in float32.

    node scripts/launch.mjs script scripts/golden/peft-logits.ts BASE.gguf PEFT_FOLDER OUT
    PYTHON scripts/golden/peft_equal.py OUT PEFT_FOLDER        (scripts/golden/model-requirements.txt and peft==0.21.2)

Vectors (norms, biases) are rounded to bf16 in OUT, so they are the largest difference left. Ends with 1 above 1e-2 of the largest logit.
"""
import json
import pathlib
import sys

import numpy
import peft
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "peers"))
import torch_train  # noqa: E402

out, folder = pathlib.Path(sys.argv[1]), sys.argv[2]
ids = json.loads((out / "ids.json").read_text())
base = torch_train.load(out, torch.float32)
with torch.no_grad():
    bare = base(input_ids=torch.tensor([ids]), use_cache=False).logits[0].clone()
    model = peft.PeftModel.from_pretrained(base, folder).eval()
    theirs = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
ours = torch.from_numpy(numpy.fromfile(out / "logits.bin", dtype=numpy.float32)).reshape(len(ids) - 1, -1)
theirs, bare = theirs[:-1], bare[:-1]
size = theirs.abs().max().item()
error = (ours - theirs).abs().max().item() / size
without = (ours - bare).abs().max().item() / size
same = (ours.argmax(1) == theirs.argmax(1)).float().mean().item()
print(json.dumps({"tokens": len(ids) - 1, "errorOfLargest": error, "withoutAdapter": without, "argmaxSame": same, "peft": peft.__version__}))
sys.exit(0 if error < 1e-2 and without > 3 * error else 1)
