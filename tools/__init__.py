"""Build driver, execution cache, notebook tool and Sphinx extension of the course; not part of the installed package."""
