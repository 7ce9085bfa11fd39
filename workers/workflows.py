"""The settings in, a worker of the workflows queue out."""

import asyncio

from apex_memory.domain.queues import Queue
from apex_memory.process import run_to_its_end
from apex_memory.settings import load_settings
from apex_memory.worker import run_workers

run_to_its_end(lambda: asyncio.run(run_workers(load_settings(), [Queue.WORKFLOWS])))
