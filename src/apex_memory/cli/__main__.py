"""`python -m apex_memory.cli` in, the same as `apex` out."""

from apex_memory.cli import main

if __name__ == "__main__":
    main()
