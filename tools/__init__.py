"""Build driver, execution cache, notebook tool and Sphinx extension of the course; not installed with `helpers`."""
