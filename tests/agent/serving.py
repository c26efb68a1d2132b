"""`transformers serve` on a CPU where accelerate is not installed.

python serving.py FOLDER PORT

The server is the real one; only its models are loaded here. It loads them with a device map, even
for one device, and transformers refuses every device map without accelerate.
"""

import sys

from transformers import AutoModelForImageTextToText
from transformers.cli.serve import Serve
from transformers.cli.serving.model_manager import ModelManager


def load(self, model_id_and_revision, **options):
    return AutoModelForImageTextToText.from_pretrained(model_id_and_revision.split("@")[0])


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    ModelManager._load_model = load
    Serve(folder, device="cpu", host="127.0.0.1", port=int(port))
