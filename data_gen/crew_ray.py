"""Parts of a run made by Ray Data, on this machine or on a cluster that shares its folders."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

from llava_plus.errors import LlavaPlusError, SetupError

from .crew import Crew, Jobs, Setup
from .workshop import Job
from .writing import SpentError


def ray_data(setup: Setup, jobs: Jobs, *, workers: int) -> Crew:
    """Make the parts in actors of Ray Data; yield their files as they come.

    Parts are handed out in waves, as many as seem to be needed: how many are kept shows only when
    they are there. Not covered: an item that ends its process ends the run.

    Args:
        setup: What every actor opens.
        jobs: The next part to make; none while there is nothing to do.
        workers: Actors, each on one core.

    Raises:
        SetupError: Ray is not installed, or something cannot be read or written.
        SpentError: A writer's budget is used up.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # type: ignore[import-not-found, unused-ignore]
        import ray.data  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise SetupError("--engine ray needs Ray: pip install 'llava-plus[ray]'") from error
    began = not ray.is_initialized()
    if began:
        ray.init(
            num_cpus=workers + 1,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
        )
    try:
        crew = ray.data.ActorPoolStrategy(size=workers)
        ray.data.DataContext.get_current().enable_progress_bars = False
        for _ in count():
            wave = list(iter(jobs, None))
            if not wave:
                return
            rows = [{"number": job.number} for job in wave]
            made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                _Maker, fn_constructor_args=(setup,), compute=crew, num_cpus=1
            )
            for row in made.iter_rows():
                yield _file(row)
    finally:
        if began:
            ray.shutdown()


class _Maker:
    """An actor that makes parts."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._workshop: Any = None

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        """Make a part; what went wrong comes back as words."""
        try:
            if self._workshop is None:
                self._workshop = self._setup.open()
            return {"made": str(self._workshop.make(Job(number=int(row["number"])))), "said": ""}
        except SpentError as error:
            return {"made": "", "said": f"spent:{error}"}
        except LlavaPlusError as error:
            return {"made": "", "said": f"setup:{error}"}


def _file(row: dict[str, str]) -> Path:
    kind, _, words = row["said"].partition(":")
    if kind:
        raise SpentError(words) if kind == "spent" else SetupError(words)
    return Path(row["made"])
