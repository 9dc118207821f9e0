"""Writes convo_replay/validation/schemas/*.json: JSON schemas of the two wire formats, from the installed SDKs' types.

    make schemas            # or: python tools/generate_schemas.py [--check]

The package imports no SDK at run time; it ships what the types said when this was run, with the SDK's version in
the file. Two runs with the same SDK give the same bytes. What differs from `pydantic.TypeAdapter(T).json_schema()`:

- Titles, descriptions, defaults and formats are left out. Definitions that say the same are one (`Beta…` and not,
  `…Param` and not); an enumeration that any string may stand beside is a string.
- Objects are closed unless they say `additionalProperties`; whoever compiles a schema adds that (`schema_files.py`).
- Blocks are allowed by role (`PLACES`): the SDK has one union for all roles.
- What never reaches the wire so is left out (parameters that are sent as headers), what does is added (`temperature`
  of API version 2023-06-01, what cloud variants put into the body).

Exit 1 with `--check` where a file is not what would be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

SCHEMAS = Path(__file__).resolve().parents[1] / "convo_replay" / "validation" / "schemas"

Schema = dict[str, Any]

PLACES = {
    # Where a block may stand (protocol.md §1.2): U user turn, A assistant turn, T inside `tool_result.content`,
    # S system message. `document` in an assistant turn is a matter of the API version, not of the schema.
    "text": "UATS",
    "image": "UT",
    "document": "UAT",
    "search_result": "UT",
    "tool_result": "U",
    "container_upload": "UA",
    "thinking": "A",
    "redacted_thinking": "A",
    "tool_use": "A",
    "server_tool_use": "A",
    "web_search_tool_result": "A",
    "web_fetch_tool_result": "A",
    "code_execution_tool_result": "A",
    "bash_code_execution_tool_result": "A",
    "text_editor_code_execution_tool_result": "A",
    "tool_search_tool_result": "A",
    "tool_reference": "T",
    "browser_state": "T",
    "mcp_tool_use": "A",
    "mcp_tool_result": "A",
    "mcp_tool_listing": "A",
    "advisor_tool_result": "A",
    "compaction": "A",
    "fallback": "A",
    "tool_addition": "S",
    "tool_removal": "S",
}
SENT_AS_HEADERS = ("betas", "workspace_id")
NO_URL = {"pattern": "^(?!https?:|data:|file:)"}

NUMBER, INTEGER, STRING = {"type": "number"}, {"type": "integer"}, {"type": "string"}
ANTHROPIC_BODY: dict[str, Schema] = {
    # Version 2023-06-01 takes these; what 2026-10-21 says to them is a rule of its own.
    "temperature": NUMBER,
    "top_p": NUMBER,
    "top_k": INTEGER,
    # Bedrock and Vertex (`lib/bedrock`, `lib/vertex`).
    "anthropic_version": STRING,
    "anthropic_beta": {"type": "array", "items": STRING},
}


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file would change")
    check = options.parse_args(arguments).check
    stale = []
    for name, made in (("anthropic.json", anthropic()), ("openai_chat.json", openai_chat())):
        path, text = SCHEMAS / name, written(made)
        if check:
            stale += [name] if not path.is_file() or path.read_text(encoding="utf-8") != text else []
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: {len(text)} bytes")
    if stale:
        print(f"not as the installed SDKs say: {', '.join(stale)}; run `make schemas`", file=sys.stderr)
    return 1 if stale else 0


def written(made: Schema) -> str:
    """One definition a line, so that a new SDK's changes can be read."""
    lines = [f"{json.dumps(key)}: {_compact(part)}" for key, part in made.items() if key != "$defs"]
    defs = [f"{json.dumps(key)}: {_compact(part)}" for key, part in sorted(made["$defs"].items())]
    return "{\n" + ",\n".join(lines) + ',\n"$defs": {\n' + ",\n".join(defs) + "\n}\n}\n"


def anthropic() -> Schema:
    """Roots, GA and beta: `params` (the body but for its messages), `message` (one of them), `answer`, `event`."""
    import anthropic.types as ga
    import anthropic.types.beta as beta
    from anthropic.types import message_create_params as ga_params
    from anthropic.types.beta import message_create_params as beta_params

    defs: dict[str, Schema] = {}
    roots: dict[str, Schema] = {}
    for api, params, message, event in (
        ("ga", ga_params, ga.Message, ga.RawMessageStreamEvent),
        ("beta", beta_params, beta.BetaMessage, beta.BetaRawMessageStreamEvent),
    ):
        body = _read(params.MessageCreateParamsNonStreaming, defs)
        properties = body["properties"]
        roots[f"{api}.message"] = properties.pop("messages")["items"]
        for name in SENT_AS_HEADERS:
            properties.pop(name, None)
        properties |= {"messages": {"type": "array"}, "stream": {"type": "boolean"}} | ANTHROPIC_BODY
        if api == "beta":
            properties["output_format"] = {"type": "object"}  # of structured-outputs-2025-11-13; now `output_config`
        body["required"].remove("model")  # of Bedrock and Vertex it is in the URL
        roots[f"{api}.params"] = body
        roots[f"{api}.answer"] = _read(message, defs)
        roots[f"{api}.event"] = _read(event, defs)
    for part in defs.values():
        properties = part.get("properties", {})
        if properties.get("type") == {"const": "base64"} and "data" in properties:
            properties["data"] = STRING | NO_URL
        alternatives = properties.get("input_schema", {}).get("anyOf", [])
        # The SDK takes any object beside the typed one; the API asks for `"type": "object"`.
        typed = [part for part in alternatives if "$ref" in part]
        if typed:
            properties["input_schema"] = typed[0]
    _place(defs)
    return _file("anthropic", roots, defs, places=PLACES)


def openai_chat() -> Schema:
    """Roots: `params` (the body but for its messages), `message` (one of them), `answer`, `event` (a chunk)."""
    import openai.types.chat as chat
    from openai.types.chat import completion_create_params as params

    defs: dict[str, Schema] = {}
    body = _read(params.CompletionCreateParamsNonStreaming, defs)
    properties = body["properties"]
    message = properties.pop("messages")["items"]
    properties |= {"messages": {"type": "array"}, "stream": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}}
    body["required"].remove("model")  # of Azure it is in the URL
    roots = {
        "ga.message": message,
        "ga.params": body,
        "ga.answer": _read(chat.ChatCompletion, defs),
        "ga.event": _read(chat.ChatCompletionChunk, defs),
    }
    # What the API takes all the same (recordings of 2024 to 2026).
    defs["ChatCompletionToolMessageParam"]["properties"]["name"] = {"anyOf": [STRING, {"type": "null"}]}
    defs["ChatCompletionAssistantMessageParam"]["properties"]["annotations"] = {"type": "array"}
    image = defs["ChatCompletionContentPartImageParam"]["properties"]
    image["image_url"] = {"anyOf": [image["image_url"], STRING]}
    return _file("openai", roots, defs)


def _read(kind: Any, defs: dict[str, Schema]) -> Schema:
    """The schema of a type; its definitions are added to `defs`, under a second name where one is taken by another."""
    found = TypeAdapter(kind).json_schema()
    own: dict[str, Schema] = found.pop("$defs", {})
    names: dict[str, str] = {}
    for name, part in own.items():
        short, count = name.rpartition("__")[2], 1
        names[name] = short
        while names[name] in defs and defs[names[name]]["was"] != part:
            count += 1
            names[name] = f"{short}{count}"
        defs.setdefault(names[name], {"was": part})
    for name, part in own.items():
        if len(defs[names[name]]) == 1:
            defs[names[name]] |= _plain(part, names)
    return _plain(found, names)


def _plain(given: Any, names: dict[str, str]) -> Any:
    """A schema with nothing in it but what it demands."""
    if not isinstance(given, dict):
        return given
    if "$ref" in given:
        return {"$ref": "#/$defs/" + names.get(target := given["$ref"].rpartition("/")[2], target)}
    if "anyOf" in given:
        return _any_of([_plain(part, names) for part in given["anyOf"]])
    if "const" in given:
        return {"const": given["const"]}
    if "enum" in given:
        return {"enum": sorted(given["enum"], key=str)}
    made: Schema = {"type": given["type"]} if "type" in given else {}
    if "properties" in given:
        made["properties"] = {name: _plain(part, names) for name, part in sorted(given["properties"].items())}
        if given.get("required"):
            made["required"] = sorted(given["required"])
        if "InputSchema" in given.get("title", ""):
            made["additionalProperties"] = True
    elif isinstance(given.get("additionalProperties"), dict):
        made["additionalProperties"] = _plain(given["additionalProperties"], names)
    if "items" in given:
        made["items"] = _plain(given["items"], names)
    return made


def _any_of(parts: list[Schema]) -> Schema:
    """One list of alternatives, none twice; beside a plain string no listed ones."""
    flat: list[Schema] = []
    for part in parts:
        for each in part.get("anyOf", [part]):
            if each not in flat:
                flat.append(each)
    if STRING in flat:
        flat = [part for part in flat if "enum" not in part and not isinstance(part.get("const"), str)]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _place(defs: dict[str, Schema]) -> None:
    """Leaves in each role's content the blocks that may stand there."""
    for name, part in defs.items():
        role = part.get("properties", {}).get("role", {}).get("const")
        if name.endswith("MessageParam") and role in ("user", "assistant"):
            lists = [each for each in part["properties"]["content"]["anyOf"] if each.get("type") == "array"]
            blocks = lists[0]["items"]["anyOf"]
            tags = [defs[block["$ref"].rpartition("/")[2]]["properties"]["type"]["const"] for block in blocks]
            unplaced = sorted(set(tags) - set(PLACES))
            if unplaced:
                raise SystemExit(f"{name}: where may {', '.join(unplaced)} stand? Add it to PLACES.")
            place = "U" if role == "user" else "A"
            blocks[:] = [block for block, tag in zip(blocks, tags, strict=True) if place in PLACES[tag]]


def _file(sdk: str, roots: dict[str, Schema], defs: dict[str, Schema], **more: Any) -> Schema:
    for part in defs.values():
        part.pop("was", None)
    merged = _merged(defs)
    roots = {name: _renamed(root, merged) for name, root in sorted(roots.items())}
    kept = {merged[name]: _renamed(part, merged) for name, part in defs.items() if merged[name] == name}
    used = _reachable(roots, kept)
    kept = {name: part for name, part in kept.items() if name in used}
    return {"sdk": sdk, "version": version(sdk), **more, "roots": roots, "$defs": kept}


def _merged(defs: dict[str, Schema]) -> dict[str, str]:
    """For each definition the name of the one that stands for all that accept the same.

    Names are refined until no two of a class differ: definitions that refer to each other merge, too.
    """
    classes = dict.fromkeys(defs, "")
    while True:
        looks: dict[str, list[str]] = {}
        for name, part in defs.items():
            looks.setdefault(_compact(_renamed(part, classes)), []).append(name)
        refined = {}
        for members in looks.values():
            chosen = min(members, key=lambda name: (len(name), name))
            refined |= dict.fromkeys(members, chosen)
        if len(set(refined.values())) == len(set(classes.values())):
            return refined
        classes = refined


def _renamed(given: Any, names: dict[str, str]) -> Any:
    if isinstance(given, list):
        return [_renamed(part, names) for part in given]
    if not isinstance(given, dict):
        return given
    if isinstance(given.get("$ref"), str):
        return {"$ref": "#/$defs/" + names[given["$ref"].rpartition("/")[2]]}
    made = {key: _renamed(part, names) for key, part in given.items()}
    return _any_of(made["anyOf"]) if "anyOf" in made else made


def _reachable(roots: dict[str, Schema], defs: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    todo: list[Any] = list(roots.values())
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            name = part["$ref"].rpartition("/")[2] if isinstance(part.get("$ref"), str) else None
            if name is not None and name not in found:
                found.add(name)
                todo.append(defs[name])
            todo += part.values()
        elif isinstance(part, list):
            todo += part
    return found


def _compact(part: Any) -> str:
    return json.dumps(part, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
