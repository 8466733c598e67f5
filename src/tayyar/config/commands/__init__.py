"""One file per command: `add_parser(sub)` declares it and names the function that runs it."""
