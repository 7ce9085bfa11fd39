"""`python -m apex_memory.cli` in, the same as `apex` out."""

from apex_memory.cli import app

if __name__ == "__main__":
    app(prog_name="apex")
