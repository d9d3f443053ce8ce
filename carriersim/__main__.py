"""`python -m carriersim --port 8900`: becomes the server."""

import argparse
import os

from carriersim.process import command


def main() -> None:
    """Read the command line and turn into granian."""
    parser = argparse.ArgumentParser(prog="carriersim", description="A stand-in for Twilio.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--data", help="folder for the record (else CARRIERSIM_DATA, else memory)")
    options = parser.parse_args()
    if options.data:
        os.environ["CARRIERSIM_DATA"] = options.data
    arguments = command(host=options.host, port=options.port)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main()
