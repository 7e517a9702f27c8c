"""What may follow what: modes, releases of the package, and the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import InvalidInputError
from kolray.schemas import checks
from kolray.schemas.checks import check_candidate, check_package
from kolray.schemas.compatibility import MODES, breaks, fields_changed
from kolray.schemas.registry import VERSIONS, AvroSchema, FileRegistry, Version, fingerprint, packaged_schema
from kolray.testing.registry import MemoryRegistry
from tests.writers import changed


def record(**fields: Any) -> AvroSchema:
    """A field is its type, or its type and default."""
    pairs = {name: f if isinstance(f, tuple) else (f,) for name, f in fields.items()}
    told = [{"name": name} | dict(zip(("type", "default"), pair, strict=False)) for name, pair in pairs.items()]
    return {"type": "record", "name": "R", "fields": told}


PLAIN = record(a="string")
NEEDED = record(a="string", b="long")
DEFAULTED = record(a="string", b=("long", 0))
OPTIONAL = record(a="string", b=(["null", "long"], None))


@pytest.mark.parametrize(
    ("new", "earlier", "fits"),
    [
        (OPTIONAL, [PLAIN], set(MODES)),
        (NEEDED, [PLAIN], {"NONE", "FORWARD", "FORWARD_TRANSITIVE"}),
        (PLAIN, [NEEDED], {"NONE", "BACKWARD", "BACKWARD_TRANSITIVE"}),
        (record(a="bytes"), [PLAIN], set(MODES)),
        (record(a="long"), [record(a="int")], {"NONE", "BACKWARD", "BACKWARD_TRANSITIVE"}),
        (record(a="long"), [PLAIN], {"NONE"}),
        (NEEDED, [PLAIN, DEFAULTED], {"NONE", "BACKWARD", "FORWARD", "FORWARD_TRANSITIVE", "FULL"}),
        (NEEDED, [], set(MODES)),
    ],
)
def test_each_mode_allows_what_it_promises(new: AvroSchema, earlier: list[AvroSchema], fits: set[str]) -> None:
    assert {mode for mode in MODES if not breaks(new, earlier, mode)} == fits


def test_a_break_says_who_cannot_read_what() -> None:
    [said] = breaks(NEEDED, [PLAIN], "FULL")
    assert said.startswith("new readers, earlier records: reader field missing default value: b")
    with pytest.raises(InvalidInputError, match="SIDEWAYS"):
        breaks(NEEDED, [PLAIN], "SIDEWAYS")
    with pytest.raises(InvalidInputError, match="no valid Avro"):
        breaks(record(a="strin"), [PLAIN], "FULL")


def test_differences_are_told_field_by_field() -> None:
    assert fields_changed(PLAIN, OPTIONAL) == ['+ b: ["null", "long"] = null']
    assert fields_changed(NEEDED, record(b="int")) == ["- a: string", "~ b: long → int"]


def test_the_package_is_as_it_was_released() -> None:
    """CI's refusal: an edited file, or a version that breaks earlier readers or writers."""
    assert [verdict for verdict in check_package() if verdict.problems] == []


def test_an_edited_release_and_a_breaking_version_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"social.avsc": packaged_schema("events.social.raw"), "2.avsc": changed("social", drop="kol_id")}
    second = Version(6, "2.avsc", fingerprint(files["2.avsc"]))
    monkeypatch.setattr(checks, "packaged_file", files.__getitem__)
    monkeypatch.setattr(checks, "VERSIONS", {"events.social.raw": (*VERSIONS["events.social.raw"], second)})
    [verdict] = check_package()
    assert verdict.against == 1
    assert any("earlier readers, new records" in problem for problem in verdict.problems)
    files["social.avsc"] = changed("social", add={"name": "mood", "type": ["null", "string"], "default": None})
    [verdict] = check_package()
    assert "social.avsc was edited after its release as id 1" in verdict.problems[0]


def test_words_do_not_change_a_fingerprint_and_defaults_do() -> None:
    field = {"name": "a", "type": ["null", "long"], "default": None}
    schema = {"type": "record", "name": "R", "fields": [field]}
    told = {"doc": "said", "name": "R", "type": "record", "fields": [field | {"doc": "said"}]}
    assert fingerprint(schema) == fingerprint(told)
    assert fingerprint(schema) != fingerprint(schema | {"fields": [{"name": "a", "type": ["null", "long"]}]})


def test_a_candidate_is_also_held_to_what_kolray_needs() -> None:
    writer = changed("social", drop="kol_id")
    verdict = check_candidate(FileRegistry(), "events.social.raw", writer, "NONE")
    assert verdict.problems == ["kolray could not read it: kol_id is missing"]


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new.avsc"
    file.write_text(json.dumps(changed("social", drop="kol_id")))
    run, one = CliRunner().invoke, ["--topic", "events.social.raw", "--file", str(file)]
    assert run(app, ["schemas", "check"]).exit_code == 0
    refused = run(app, ["schemas", "check", *one, "--json"])
    assert refused.exit_code == 1
    assert len(json.loads(refused.stdout)[0]["problems"]) == 2
    assert "- kol_id: string" in run(app, ["schemas", "diff", "events.social.raw", "--file", str(file)]).stdout
    assert "KOLRAY_REGISTRY__URL" in str(run(app, ["schemas", "register"]).exception)
    with MemoryRegistry() as server:
        monkeypatch.setenv("KOLRAY_REGISTRY__URL", server.url)
        assert "events.web.raw-value: id" in run(app, ["schemas", "register"]).stdout
        assert run(app, ["schemas", "check"]).exit_code == 0
        refused = run(app, ["schemas", "register", *one])
        assert refused.exit_code == 1
        assert "may not follow" in refused.stdout
        assert server.held("events.social.raw-value") == 1, "nothing was registered"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--topic", "x"], "no topic x"),
        (["--file", "x.avsc"], "needs --topic"),
        (["--topic", "events.dlq", "--file", "/nowhere.avsc"], "cannot be read"),
    ],
)
def test_bad_arguments(arguments: list[str], said: str) -> None:
    assert said in str(CliRunner().invoke(app, ["schemas", "check", *arguments]).exception)
