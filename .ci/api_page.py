"""Prints the page of the HTTP API from the description that the API itself gives: `make docs` puts it into the site."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from kolray.serving.api import Services, build_app

HEAD = "# HTTP API\n\nA running API shows the same at `/docs`, where requests can be tried, and as `/openapi.json`.\n"


def main() -> None:
    """One heading a tag, one table of parameters and one example an operation."""
    nothing: Any = SimpleNamespace(canary=None, lookup=None)  # the description asks no store
    described = build_app(Services(nothing, nothing, nothing, nothing)).openapi()
    lines = [HEAD]
    for tag in described["tags"]:
        lines.append(f"\n## {tag['name']}\n\n{tag.get('description', '')}\n")
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    lines += _operation(method, path, operation)
    sys.stdout.write("\n".join(lines))


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    lines = [f"\n### {method.upper()} {path}\n", operation["summary"], "", operation.get("description", "")]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["\n| parameter | in | needed | meaning |", "|---|---|---|---|"]
        for each in parameters:
            meaning = str(each.get("description", "")).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| `{each['name']}` | {each['in']} | {'yes' if each.get('required') else ''} | {meaning} |")
    for content in operation["responses"].get("200", {}).get("content", {}).values():
        example = content.get("example")
        if isinstance(example, dict | list):
            lines += ["\n```json", json.dumps(example, indent=2, ensure_ascii=False), "```"]
    return lines


if __name__ == "__main__":
    main()
