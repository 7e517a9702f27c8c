"""Models from the files the registry keeps, by the name they are registered under."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kolray.errors import NotFoundError


def load_files(name: str, folder: Path) -> Any:
    """The model in a folder that ``to_files`` of one such filled.

    Raises:
        NotFoundError: nothing of that name can be loaded.
    """
    from kolray.models.sentiment.stored import StoredSentiment
    from kolray.models.success import SuccessModel
    from kolray.models.trust import TrustModel

    loaders: dict[str, Any] = {
        **dict.fromkeys(("trust", "trust-accounts"), TrustModel),
        "success": SuccessModel,
        "sentiment": StoredSentiment,
    }
    if name not in loaders:
        raise NotFoundError(f"no loader for models named {name}: there are {', '.join(loaders)}")
    return loaders[name].load(folder)
