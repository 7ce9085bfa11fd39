"""A PostgreSQL URL in, the current schema out: Alembic migrations."""

import asyncio
import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config

# Alembic keeps the migration it runs in module globals: two threads would run each other's and wait for ever.
_ONE_AT_A_TIME: Final = threading.Lock()


async def migrate(postgres_url: str) -> None:
    """Bring the database to the newest schema; safe at every start, also from many tasks and processes."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["postgres_url"] = postgres_url
    await asyncio.to_thread(_upgrade, config)


def _upgrade(config: Config) -> None:
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")
