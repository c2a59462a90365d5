"""Run the command line as `python -m tensorguard`."""

from tensorguard.cli.main import main

if __name__ == "__main__":
    main()
