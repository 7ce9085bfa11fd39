"""A request in, what its process opened at the start out: the memory, and whether the process is ending."""

from typing import Annotated

from fastapi import Depends, Request

from apex_memory.bootstrap.memory import Memory


class Draining:
    """Set once, when the process is told to end: it finishes what it has and asks for nothing more."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        self.begun = True


# Coroutines, though they wait for nothing: FastAPI hands a plain function to a thread, at each request.
async def _memory(request: Request) -> Memory:
    return request.app.state.memory


async def _draining(request: Request) -> Draining:
    return request.app.state.draining


OpenMemory = Annotated[Memory, Depends(_memory)]
ProcessDraining = Annotated[Draining, Depends(_draining)]
