"""Renders what was measured: Markdown tables to stdout or into a file, and plots.

    python -m benchmarks.report JSON ... [--anchor NAME] [--markdown FILE] [--plots FOLDER]

Several files are merged, as long runs are made in parts: a later one adds to an earlier one, and replaces what both
have. What a person wrote in FILE above the line of MARK stays.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.tables import ANCHORS, section

MARK = "<!-- Below this line python -m benchmarks.report writes. -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, nargs="+")
    parser.add_argument("--anchor", metavar="NAME", help=f"default: the first that is there of {', '.join(ANCHORS)}")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there, instead of to stdout")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write bench-DATABASE.svg and others there")
    options = parser.parse_args()
    result = merged([json.loads(file.read_text(encoding="utf-8")) for file in options.json])
    render(result, options.anchor, options.plots, options.markdown)
    return 0


def render(
    result: dict[str, Any], anchor: str | None = None, folder: Path | None = None, markdown: Path | None = None
) -> None:
    """To stdout, or into the file; with links to the plots only there."""
    written = plots.write(result["databases"], folder) if folder else {}
    if markdown is None:
        print("\n".join(lines(result, anchor, {})))
        return
    links = {
        name: [
            f"![{title}]({Path(os.path.relpath(file, markdown.parent)).as_posix()})" for title, file in files.items()
        ]
        for name, files in written.items()
    }
    above = markdown.read_text(encoding="utf-8").partition(MARK)[0].rstrip() if markdown.exists() else ""
    markdown.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([*([above, ""] if above else []), MARK, "", *lines(result, anchor, links)])
    markdown.write_text(text + "\n", encoding="utf-8")


def lines(result: dict[str, Any], anchor: str | None, links: dict[str, list[str]]) -> Iterator[str]:
    yield f"{result['machine']}; each measured {result['repeat']} times."
    for link in links.get("", []):
        yield f"\n{link}"
    for name, found in result["databases"].items():
        head, *rest = section(name, found, anchor)
        yield head
        for link in links.get(name, []):
            yield f"\n{link}"
        yield from rest


def merged(results: list[dict[str, Any]]) -> dict[str, Any]:
    databases: dict[str, Any] = {}
    for result in results:
        for name, found in result["databases"].items():
            databases[name] = together(databases.get(name, {}), found)
    both = {
        "machine": "; ".join(dict.fromkeys(result["machine"] for result in results)),
        "repeat": " or ".join(str(count) for count in sorted({result["repeat"] for result in results})),
    }
    return both | {"databases": databases}


def together(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Of one database; what failed at first and was measured later has not failed."""
    peers = {peer: dict(configurations) for peer, configurations in earlier.get("peers", {}).items()}
    for peer, configurations in later.get("peers", {}).items():
        mine = peers.setdefault(peer, {})
        for configuration, figures in configurations.items():
            mine[configuration] = mine.get(configuration, {}) | figures
    still = {who: why for who, why in earlier.get("failed", {}).items() if not mended(who, later)}
    return earlier | later | {"peers": peers, "failed": still | later.get("failed", {})}


def mended(who: str, later: dict[str, Any]) -> bool:
    """Whether a peer that could not start, or "PEER, CONFIGURATION, MEASURE", is in a later run."""
    subject, _, measure = who.rpartition(", ")
    peer, _, configuration = subject.rpartition(", ")
    peers = later.get("peers", {})
    return who in peers or (configuration in peers.get(peer, {}) and measure in later.get("measures", []))


if __name__ == "__main__":
    sys.exit(main())
