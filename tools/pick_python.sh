#!/bin/sh
# Prints the name of a Python that can run the course (3.11, 3.12 or 3.13), or one sentence on what is missing.
for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done
found=$(python3 --version 2>/dev/null || echo "no python3")
echo "The course needs Python 3.11, 3.12 or 3.13, and found $found: install one of them, or name it with 'make book PYTHON=/path/to/python3.12'." >&2
exit 1
