"""`python -m executor_service.compat FILE`: what works otherwise here than in the older library."""

import sys

from executor_service.library.compat import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
