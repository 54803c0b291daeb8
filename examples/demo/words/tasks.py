"""Tasks are plain functions at the top of a module; what they return is stored as text."""

import ast
import json
from collections import Counter
from pathlib import Path

from django_simple_queue import current_task


def measure(path: str) -> str:
    """Count the lines and words of a Python file, and how often it uses each name."""
    source = Path(path).read_bytes()
    names = Counter(node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return json.dumps({"lines": source.count(b"\n"), "words": len(source.split()), "names": names})


def ask_a_busy_service() -> str:
    """Fail on the first attempt, as what is on the other side of a network does now and then."""
    attempt = current_task().attempt
    if attempt == 1:
        raise ConnectionError("the service is busy, try again")
    return f"answered on attempt {attempt}"
