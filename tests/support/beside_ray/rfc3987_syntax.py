"""Found by the processes of a cluster before the library of this name, which jsonschema imports if it is there: for a second in each."""

raise ImportError("no time for it")
