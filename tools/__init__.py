"""Build driver, execution cache, notebook tool and Sphinx extension of the course; not installed with `helpers`."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):  # speaks before an import fails; old Pythons read this file too
    sys.exit("The course needs Python 3.11, 3.12 or 3.13, and this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031
