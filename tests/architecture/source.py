"""The package as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "django_simple_queue"


def modules() -> dict[str, ast.Module]:
    """Dotted name inside the package ("queue.claim") to its tree; migrations left out."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "migrations" not in parts:
            found[".".join(part for part in parts if part != "__init__") or "__init__"] = ast.parse(path.read_text())
    return found


def imports(name: str, tree: ast.AST, *, lazy: bool = True) -> Iterator[str]:
    """Modules of the package that a module imports, as dotted names inside it; `lazy`: those in functions too."""
    is_package = (PACKAGE / name.replace(".", "/") / "__init__.py").exists() or name == "__init__"
    nodes = ast.walk(tree) if lazy else top_level(tree)
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            if node.level:
                parts = [] if name == "__init__" else name.split(".")
                base = parts[: len(parts) - node.level + (1 if is_package else 0)]
                module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            elif (node.module or "").partition(".")[0] == PACKAGE.name:
                module = (node.module or "").partition(".")[2]
            else:
                continue
            for alias in node.names:
                inner = f"{module}.{alias.name}".strip(".")
                yield inner if (PACKAGE / (inner.replace(".", "/") + ".py")).exists() else module


def top_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: not those in functions, nor for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from top_level(node)


def strings(tree: ast.AST) -> Iterator[str]:
    """The text of each string and f-string, holes as {}."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def calls(tree: ast.AST) -> list[str]:
    """What is called, as written: "task.save", "rows.filter(pk=1).update"."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
