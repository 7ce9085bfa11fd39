"""A running stack in, a stack that a newcomer can use out: the steps that follow when everything answers.

Each step gets the settings, returns variables for `apex.env`, and is repeatable: every `up` runs it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from apex_memory.devstack.endpoints import write_env_file
from apex_memory.devstack.home import Home
from apex_memory.devstack.welcome import ensure_api_key, warm_up
from apex_memory.settings import Settings, apex_home, load_settings

Step = Callable[[Settings], Awaitable[Mapping[str, str]]]

STEPS: Final[tuple[Step, ...]] = (ensure_api_key, warm_up)

log = structlog.get_logger()


async def run_steps() -> None:
    settings = load_settings()
    for step in STEPS:
        changes = await step(settings)
        write_env_file(Home(apex_home()).env_file, changes)
        log.info("after_ready.done", step=step.__name__, variables=sorted(changes))


if __name__ == "__main__":
    asyncio.run(run_steps())
