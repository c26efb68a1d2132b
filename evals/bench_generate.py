"""What the generator of training data costs; it measures itself, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator

from llava_plus.errors import SetupError

COMMAND = (sys.executable, "-m", "llava_plus.data_gen.bench")


def lines(*options: str) -> Iterator[str]:
    """Yield what it prints, as it comes.

    Args:
        options: As the command takes them, such as "--pairs", "1".
    """
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            yield f"  {line.rstrip()}"
    if running.returncode:
        raise SetupError(f"The generator's measurement ended with {running.returncode}.")
