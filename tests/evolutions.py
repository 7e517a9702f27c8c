"""Random Avro records and random changes to them, for verdicts on what may follow what."""

from __future__ import annotations

import copy
import random
from typing import Any

Schema = dict[str, Any]
PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")
DEFAULTS: dict[str, Any] = {
    "null": None, "boolean": True, "int": 1, "long": 1, "float": 1.0, "double": 1.0, "bytes": "x", "string": "s",
    "array": [], "map": {},
}  # fmt: skip
WIDER = {"int": "long", "long": "double", "float": "double", "string": "bytes", "bytes": "string"}


class Evolution:
    """``old`` and ``new``, one or two changes apart; exact per seed."""

    def __init__(self, seed: int) -> None:
        self.rng, self._named = random.Random(seed), 0
        self.old: Schema = {"type": "record", "name": "R"}
        self.old["fields"] = [self._field(f"f{i}") for i in range(self.rng.randint(1, 4))]
        self.new: Schema = copy.deepcopy(self.old)
        for _ in range(self.rng.randint(1, 2)):
            self._change()
        self.new["fields"] = list({field["name"]: field for field in self.new["fields"]}.values())

    def _type(self, depth: int = 2) -> Any:
        rng, drawn = self.rng, self.rng.random()
        if depth == 0 or drawn < 0.55:
            return rng.choice(PRIMITIVES)
        if drawn < 0.65:
            return {"type": "array", "items": self._type(depth - 1)}
        if drawn < 0.72:
            return {"type": "map", "values": self._type(depth - 1)}
        if drawn < 0.84:
            return self._named_type(fixed=drawn >= 0.80)
        if drawn < 0.90:
            return {"type": "long", "logicalType": "timestamp-millis"}
        branches = ["null", *rng.sample(PRIMITIVES, rng.randint(1, 2))]
        return branches if rng.random() < 0.7 else branches[::-1]

    def _named_type(self, *, fixed: bool) -> Schema:
        self._named += 1
        size = self.rng.randint(1, 4)
        if fixed:
            return {"type": "fixed", "name": f"F{self._named}", "size": size}
        return {"type": "enum", "name": f"E{self._named}", "symbols": self.rng.sample("ABCDE", size)}

    def _field(self, name: str) -> Schema:
        field = {"name": name, "type": self._type()}
        return field | ({"default": _default(field["type"])} if self.rng.random() < 0.5 else {})

    def _change(self) -> None:
        rng, fields, drawn = self.rng, self.new["fields"], self.rng.random()
        if drawn < 0.2:
            fields.insert(rng.randint(0, len(fields)), self._field(f"f{rng.randint(10, 19)}"))
        elif drawn < 0.35 and len(fields) > 1:
            fields.pop(rng.randrange(len(fields)))
        elif drawn < 0.75:
            self._retype(rng.choice(fields))
        elif drawn < 0.85:
            rng.choice(fields)["name"] = f"f{rng.randint(20, 29)}"
        elif drawn < 0.90:
            self.new["name"] = "R2"
        elif drawn < 0.95:
            rng.shuffle(fields)
        else:
            field = rng.choice(fields)
            field.update(aliases=[field["name"]], name=field["name"] + "x")

    def _retype(self, field: Schema) -> None:
        rng, kind = self.rng, field["type"]
        field.pop("default", None)
        if isinstance(kind, str):
            field["type"] = rng.choice([rng.choice(PRIMITIVES), ["null", kind], WIDER.get(kind, kind)])
        elif isinstance(kind, list):
            more = [*kind, *[other for other in ("string", "long") if other not in kind][:1]]
            field["type"] = rng.choice([more, next(branch for branch in kind if branch != "null"), kind[:-1] or kind])
        elif kind["type"] == "enum":
            kind["symbols"] = rng.choice([[*kind["symbols"], "Z"], kind["symbols"][:-1] or ["Q"]])
            if rng.random() < 0.3:
                kind["default"] = kind["symbols"][0]
        elif kind["type"] == "fixed":
            kind["size"] += rng.choice([0, 1])
        elif kind["type"] in ("array", "map"):
            kind["items" if kind["type"] == "array" else "values"] = rng.choice(["long", "double", "string"])
        else:
            field["type"] = rng.choice(["long", "string", ["null", kind]])
        if rng.random() < 0.5:
            field["default"] = _default(field["type"])


def _default(kind: Any) -> Any:
    if isinstance(kind, list):
        return _default(kind[0])
    if isinstance(kind, str):
        return DEFAULTS[kind]
    if kind["type"] == "enum":
        return kind["symbols"][0]
    return "a" * kind["size"] if kind["type"] == "fixed" else DEFAULTS[kind["type"]]
