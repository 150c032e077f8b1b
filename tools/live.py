"""Scripts that the build writes for the live figures, into `_static/live` beside the pages.

`lab_french.js` and `lab_korean.js` hold the weights of the three translators of a language, and the
words that they know; `wikipedia_gpt.js` the GPT of chapter 10, its matrices in 8 bits, and its
subwords. The form is told in `book/_static/live/weights.js`, which reads it: one call
with a header and the bytes as text, so that a browser can load it from a folder as well, and loads
it only when a reader asks. `lexicon.js` holds the words of the lab.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tools.lab_words import lexicon_script
from tools.project import ROOT

CHECKPOINTS = ROOT / "course_lib" / "studies" / "checkpoints"
# Of each language, the kept weights of each model: course_lib/studies/ch07/page_translators.py.
LAB = {
    "french": {
        "fixed": "fixed_lab_french",
        "attention": "attention_lab_french",
        "transformer": "transformer_lab",
    },
    "korean": {
        "fixed": "fixed_lab_korean",
        "attention": "attention_lab_korean",
        "transformer": "transformer_lab_korean",
    },
}
GPT = "wikipedia_gpt"


def weights_script(
    name: str, tensors: dict[str, np.ndarray | tuple[np.ndarray, np.ndarray]], **header: Any
) -> str:
    """The script NAME.js: tensors by name, and what else its readers need to know.

    Args:
        tensors: 16-bit floats; or a pair, 8-bit whole numbers (R, D) and the 32-bit scales (R,)
            that their rows are to be multiplied by.

    Raises:
        TypeError: a tensor of another type.
    """
    places, parts, end = {}, [], 0
    for key, tensor in tensors.items():
        whole, scales = tensor if isinstance(tensor, tuple) else (tensor, None)
        kinds = {"float16": ("f16", "<f2")} if scales is None else {"int8": ("i8", "i1")}
        if str(whole.dtype) not in kinds:
            raise TypeError(f"{name}: {key} is {whole.dtype}, and weights.js reads {list(kinds)}")
        kind, order = kinds[str(whole.dtype)]
        data = whole.astype(order).tobytes()
        if scales is not None:
            data = scales.astype("<f4").tobytes() + data
        places[key] = {"type": kind, "shape": list(whole.shape), "at": end}
        parts.append(data)
        end += len(data)
    data = b"".join(parts)
    header |= {"bytes": len(data), "check": zlib.adler32(data), "tensors": places}
    said = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    return f'AM.weights("{name}", {said}, "{base64.b64encode(data).decode()}");\n'


def checkpoint(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Kept weights as they lie there, and their card.

    Raises:
        ValueError: the two do not belong together.
    """
    path = CHECKPOINTS / f"{name}.safetensors"
    card = json.loads(path.with_suffix(".json").read_text("utf8"))
    if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
        raise ValueError(f"{path.name} is not the file its card describes")
    return load_file(path), card


def words(name: str, side: str) -> list[str]:
    """The vocabulary that was kept beside weights, in the order of its ids."""
    return json.loads((CHECKPOINTS / f"{name}.{side}.json").read_text("utf8"))["tokens"]


def lab_script(language: str) -> str:
    """Three translators of the lab into one language, with one vocabulary.

    Raises:
        ValueError: their vocabularies are not the same.
    """
    tensors, models, vocabularies = {}, {}, []
    for model, name in LAB[language].items():
        kept, card = checkpoint(name)
        tensors |= {f"{model}.{key}": tensor for key, tensor in kept.items()}
        sizes = {
            size: card["config"][size] for size in ("heads", "layers") if "heads" in card["config"]
        }
        models[model] = {
            "parameters": card["parameters"],
            "steps": card["config"]["steps"],
            **sizes,
        }
        vocabularies.append({side: words(name, side) for side in ("source", "target")})
    if any(one != vocabularies[0] for one in vocabularies):
        raise ValueError(f"the translators into {language} have different vocabularies")
    return weights_script(f"lab_{language}", tensors, models=models, **vocabularies[0])


def gpt_script() -> str:
    """Our GPT of chapter 10 and its subwords."""
    from course_lib.gpt.quantized import quantize
    from course_lib.studies.ch10 import gpt_models

    model, tokens, _ = gpt_models.load_kept()
    tensors = {}
    for key, tensor in model.body.state_dict().items():
        if tensor.dim() == 2:
            whole, scale = quantize(tensor)
            tensors[key] = (whole.numpy(), scale[:, 0].numpy())
        else:
            tensors[key] = tensor.half().numpy()
    sizes = {name: getattr(model.config, name) for name in ("width", "heads", "layers", "context")}
    merges = [" ".join(pair) for pair in tokens.merges]
    return weights_script(GPT, tensors, sizes=sizes, alphabet=tokens.alphabet, merges=merges)


SCRIPTS: dict[str, Callable[[], str]] = {
    **{f"lab_{language}": partial(lab_script, language) for language in LAB},
    GPT: gpt_script,
    "lexicon": lexicon_script,
}


def sources() -> list[Path]:
    """Every file that the scripts are made from."""
    names = [GPT, *(name for models in LAB.values() for name in models.values())]
    kept = [path for name in names for path in CHECKPOINTS.glob(f"{name}.*")]
    rooms = ROOT / "course_lib"
    return [*kept, rooms / "gpt" / "quantized.py", *sorted((rooms / "data" / "lab").glob("*.py"))]


def write(folder: Path) -> None:
    """All scripts, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in SCRIPTS.items():
        (folder / f"{name}.js").write_text(script(), "utf8")
