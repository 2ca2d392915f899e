"""Ask the book in a terminal: python -m beyond_kernel predict|exponents|costs TEXT."""

import sys

from beyond_kernel.which_method_wins.command_line import main

if __name__ == "__main__":
    sys.exit(main())
