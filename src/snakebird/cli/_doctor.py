"""`snakebird doctor`: versions, devices, and what is missing."""

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

NEEDED = {
    "jax": "jax",
    "equinox": "equinox",
    "diffrax": "diffrax",
    "optax": "optax",
    "optimistix": "optimistix",
    "lineax": "lineax",
    "jaxtyping": "jaxtyping",
    "numpy": "numpy",
    "tyro": "tyro",
    "msgspec": "msgspec",
    "rich": "rich",
    "matplotlib": "matplotlib",
}


def doctor() -> int:
    """Print what is here; 0 if nothing is missing, else 1."""
    print(f"{'python':<12} {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(f"{'snakebird':<12} {_version('snakebird') or 'run from source'}")
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    for module, package in NEEDED.items():
        print(f"{package:<12} {_version(package) or 'missing' if module else ''}")
    hints = [f"pip install {' '.join(missing)}"] if missing else []
    if "jax" not in missing:
        hints += _devices()
    for hint in hints:
        print(f"hint: {hint}")
    print("something is missing" if missing else "all is here")
    return 1 if missing else 0


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    """Print the devices and the compilation cache; what to do for more speed."""
    import jax

    found = jax.devices()
    kinds = ", ".join(f"{d.platform} {d.device_kind}" for d in found)
    cache = jax.config.values["jax_compilation_cache_dir"]
    print(f"{'devices':<12} {kinds}")
    print(f"{'precision':<12} {'double' if jax.config.values['jax_enable_x64'] else 'single'}")
    print(f"{'cache':<12} {cache or 'none'}")
    hints = []
    if Path("/dev/nvidia0").exists() and all(d.platform == "cpu" for d in found):
        hints.append("an NVIDIA device is here and not used: pip install 'snakebird[cuda13]'")
    if not cache:
        hints.append("set JAX_COMPILATION_CACHE_DIR to a folder, and programs compile only once")
    return hints
