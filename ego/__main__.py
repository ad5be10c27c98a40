"""`python -m ego` is `ego`."""

from ego.cli import main

if __name__ == "__main__":
    main()
