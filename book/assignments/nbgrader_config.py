"""Settings of the nbgrader course. COURSE_FOLDER names the folder that holds submissions, grades and feedback."""

import os
from pathlib import Path

here = Path(__file__).resolve().parent
course = Path(os.environ.get("COURSE_FOLDER", here.parents[1] / "classroom")).resolve()

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.root = str(course)
c.CourseDirectory.source_directory = str(here / "source")
c.CourseDirectory.db_url = f"sqlite:///{course / 'gradebook.db'}"
c.CourseDirectory.course_id = "chaos_to_prosperity"

# A cell that runs too long is interrupted and fails; the cells after it still count.
c.ExecutePreprocessor.interrupt_on_timeout = True
c.ExecutePreprocessor.timeout = int(os.environ.get("COURSE_CELL_SECONDS", "30"))
c.Execute.interrupt_on_timeout = True
c.Execute.timeout = int(os.environ.get("COURSE_CELL_SECONDS", "30"))

# A test cell that a student deleted comes back before grading; changed ones are always restored.
c.OverwriteCells.add_missing_cells = True

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "*Write your answer here.*"
