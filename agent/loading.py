"""From a name to a planner."""

from pathlib import Path

from llava_plus.errors import SetupError

from .planner import Planner


def load_planner(name: str, *, device: str = "auto") -> Planner:
    """Load a planner; torch is imported here and not before, and not for a remote one.

    Args:
        name: "nano" (the bundled one), a folder with a checkpoint, the id of one on a hub,
            "openai:MODEL@http://127.0.0.1:8000/v1" for a chat server, or a YAML file that
            describes one.
        device: "cuda", "mps", "cpu", or "auto" for the best that there is.
    """
    if not name.strip():
        raise SetupError('No planner named. Use "nano", a folder, or a hub id such as "org/model".')
    path = Path(name).expanduser()
    if name.startswith("openai:") or (path.suffix in (".yaml", ".yml") and not path.is_dir()):
        from .planners.remote import RemotePlanner

        return RemotePlanner.from_name(name)
    if name != "nano" and name.startswith((".", "/", "~")) and not path.is_dir():
        raise SetupError(f"There is no folder {name!r}. Use one with a checkpoint, or 'nano'.")
    from .planners.local import LocalPlanner

    planner: Planner = LocalPlanner.from_pretrained(
        str(path) if path.is_dir() and name != "nano" else name, device=device
    )
    return planner
