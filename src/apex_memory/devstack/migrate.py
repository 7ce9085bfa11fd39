"""The settings in, a migrated PostgreSQL schema out; `apex dev up` runs it before the product's processes."""

import asyncio

from apex_memory.schema import migrate
from apex_memory.settings import load_settings

if __name__ == "__main__":
    asyncio.run(migrate(load_settings().postgres_url))
