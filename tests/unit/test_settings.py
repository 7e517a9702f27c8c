"""Where a setting comes from, what is refused, and that documentation and secrets are as promised."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app, main
from kolray.cli.settings import MASK, all_settings, markdown, variable
from kolray.errors import SettingsError
from kolray.settings import Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
RETYPE = "write docs/settings.md anew: its heading, then `kolray settings --markdown`"
SECRET = "s3cret-0f-a-user"
ADDRESSES = {
    "KOLRAY_REDIS__URL": f"redis://:{SECRET}@cache:6379/0",
    "KOLRAY_MLFLOW__TRACKING_URI": f"postgresql+psycopg://mlflow:{SECRET}@db:5432/mlflow",
    "KOLRAY_REGISTRY__URL": f"https://kolray:{SECRET}@registry",
    "KOLRAY_OBSERVE__TRACES": f"https://kolray:{SECRET}@collector/v1/traces",
}
"""Settings whose servers can be told who we are by their address."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and home, and no setting of the surrounding shell."""
    for name in [name for name in os.environ if name.startswith("KOLRAY_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("KOLRAY_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def _kafka(host: str) -> str:
    return f'[kafka]\nbootstrap = "{host}:1"\n'


def test_every_setting_says_what_it_means() -> None:
    found = dict(all_settings())
    assert len(found) > 30
    assert [name for name, field in found.items() if not field.description] == []
    assert len({variable(name) for name in found}) == len(found)


def test_the_documentation_is_the_settings_themselves() -> None:
    assert DOCS.read_text() == "# Settings\n\n" + markdown(), RETYPE


def test_the_nearer_source_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [load_settings().kafka.bootstrap]
    (home / "services.toml").write_text(_kafka("services"))
    seen.append(load_settings().kafka.bootstrap)
    Path("kolray.toml").write_text(_kafka("toml"))
    seen.append(load_settings().kafka.bootstrap)
    monkeypatch.setenv("KOLRAY_KAFKA__BOOTSTRAP", "environment:1")
    seen.append(load_settings().kafka.bootstrap)
    assert seen == ["127.0.0.1:9092", "services:1", "toml:1", "environment:1"]


def test_sources_mix_within_one_part(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "services.toml").write_text(_kafka("services") + "transactions = false\n")
    Path("kolray.toml").write_text("[kafka]\npartitions = 7\n")
    monkeypatch.setenv("KOLRAY_KAFKA__FETCH_BYTES", "65536")
    kafka = load_settings().kafka
    assert (kafka.bootstrap, kafka.transactions, kafka.partitions) == ("services:1", False, 7)
    assert (kafka.fetch_bytes, kafka.replication) == (65_536, 1)


def test_arguments_stand_above_files_and_below_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("kolray.toml").write_text('profile = "local"\n')
    assert load_settings(profile="cluster").profile == "cluster"
    monkeypatch.setenv("KOLRAY_PROFILE", "embedded")
    assert load_settings(profile="cluster").profile == "embedded"


def test_the_home_is_absolute_and_holds_what_is_not_placed_elsewhere(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()
    assert settings.home == home
    assert Path(settings.lake_root) == home / "lake"
    assert settings.checkpoints == str(home / "checkpoints")
    assert settings.metrics_url == f"sqlite:///{home}/metrics.db"
    assert settings.tokens == str(home / "access")
    monkeypatch.setenv("KOLRAY_LAKE__ROOT", "/data/lake")
    assert Path(load_settings().lake_root) == Path("/data/lake")
    assert load_settings(home=Path("other")).home == tmp_path / "other"  # who names a home means that one
    monkeypatch.delenv("KOLRAY_HOME")
    assert load_settings().home == tmp_path / ".kolray"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[kafka]\nbootstraps = 'x:1'\n", "kafka.bootstraps"),
        ("[kafca]\nbootstrap = 'x:1'\n", "kafca"),
        ("[kafka]\npartitions = 0\n", "kafka.partitions"),
        ("[stream]\nshards = 'many'\n", "stream.shards"),
        ("profile = 'cloud'\n", "profile"),
        ("[serving]\nport = 70000\n", "serving.port"),
        ("[kafka\n", "kolray.toml"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(text: str, named: str) -> None:
    Path("kolray.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_a_wrong_variable_is_named_and_so_is_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_STREAM__SHARDS", "-1")
    monkeypatch.setenv("KOLRAY_KAFKA__PARTITION", "4")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "stream.shards" in str(caught.value)
    assert "kafka.partition:" in str(caught.value)


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_YOUTUBE__API_KEY", SECRET)
    monkeypatch.setenv("KOLRAY_SERVING__SESSION_SECRET", SECRET)
    assert SECRET not in load_settings().model_dump_json()
    for name, address in ADDRESSES.items():
        monkeypatch.setenv(name, address)
    settings = load_settings()
    assert SECRET in settings.redis.url
    assert settings.youtube.api_key is not None
    assert settings.youtube.api_key.get_secret_value() == SECRET
    for text in (repr(settings), str(settings), repr(settings.redis), str(settings.mlflow)):
        assert SECRET not in text
    monkeypatch.setenv("COLUMNS", "400")
    shown = CliRunner().invoke(app, ["settings"])
    assert shown.exit_code == 0
    assert SECRET not in shown.output
    assert shown.output.count(MASK) >= 2
    assert shown.output.count("://***@") == len(ADDRESSES)


@pytest.mark.parametrize("variable", ["KOLRAY_REDIS__PASSWORT", "KOLRAY_KAFKA__PARTITIONS"])
def test_a_secret_in_the_wrong_place_is_not_repeated(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, SECRET)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_command_line_tells_no_secret_of_an_address_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KOLRAY_MLFLOW__TRACKING_URI", f"http://kolray:{SECRET}@127.0.0.1:9")
    monkeypatch.setattr("sys.argv", ["kolray", "models", "promote", "trust"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "MLflow does not answer at http://***@127.0.0.1:9" in said
    assert SECRET not in said


def test_no_secret_is_in_the_trace_of_an_error_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError(f"cannot reach https://kolray:{SECRET}@registry")

    monkeypatch.setattr(sys.modules[main.__module__], "app", fails)
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "cannot reach https://***@registry" in said


def test_the_markdown_option_prints_the_reference_table() -> None:
    assert CliRunner().invoke(app, ["settings", "--markdown"]).output == markdown()


def test_settings_do_not_change() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.profile = "local"
    assert isinstance(settings, Settings)


def test_a_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    monkeypatch.setenv("KOLRAY_KAFKA__PASSWORD_FILE", str(file))
    monkeypatch.setenv("KOLRAY_KAFKA__CA_FILE", "ca.pem")  # a setting of its own: its value is no secret
    kafka = load_settings().kafka
    assert kafka.password
    assert (kafka.password.get_secret_value(), kafka.ca_file) == (SECRET, "ca.pem")


def test_a_secret_file_that_cannot_be_meant_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_REDIS__PASSWORD_FILE", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=r"REDIS__PASSWORD_FILE.*cannot be read"):
        load_settings()
    monkeypatch.setenv("KOLRAY_REDIS__PASSWORD", SECRET)
    with pytest.raises(SettingsError, match="both set"):
        load_settings()
