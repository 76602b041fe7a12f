"""The doctor: one line a finding, the right exit status, and it runs with the base packages alone."""

import subprocess
import sys

import pytest

from helpers import doctor


@pytest.fixture
def without(monkeypatch):
    """Pretend that some packages are not installed."""

    def hide(*names):
        installed = doctor._version
        monkeypatch.setattr(doctor, "_version", lambda name: None if name in names else installed(name))

    return hide


def states(findings):
    return [finding.state for finding in findings]


def test_this_machine_has_what_the_chapters_need(capsys):
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line[0] in "✓–" for line in lines[: lines.index("")])
    assert "Nothing has been sent anywhere." in lines[-1]


def test_a_missing_package_is_named_and_makes_it_fail(without, capsys):
    without("scikit-learn", "tqdm")
    assert doctor.main() == 1
    out = capsys.readouterr().out
    assert "✗ packages that every chapter needs: scikit-learn, tqdm" in out
    assert "1 of these is needed and missing" in out


def test_a_missing_extra_says_how_to_install_it(without, capsys):
    without("nbgrader")
    assert doctor.main() == 0
    assert "– grading assignments: nbgrader missing (install: pip install -e '.[classroom]')" in capsys.readouterr().out


def test_without_torch_there_is_still_a_report(without):
    without("torch")
    findings = doctor.examine()
    assert "missing" in states(findings)
    assert any("no torch" in finding.text for finding in findings)


@pytest.mark.parametrize(("minor", "state"), [(10, "missing"), (11, "ok"), (13, "ok"), (14, "missing")])
def test_python_version(minor, state):
    version = (3, minor)
    finding = doctor.python_version(version)
    assert finding.state == state
    assert f"{version[0]}.{version[1]}" in finding.text


def test_versions_are_compared_with_the_constraints(tmp_path):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"numpy==0.0.1\ntorch=={doctor._version('torch').split('+')[0]}\n")
    finding = doctor.tested_versions(constraints)
    assert finding.state == "optional"
    assert "numpy" in finding.text and "(tested: 0.0.1)" in finding.text and "torch" not in finding.text
    constraints.write_text(f"torch=={doctor._version('torch').split('+')[0]}\n")
    assert doctor.tested_versions(constraints).state == "ok"
    assert "no constraints.txt" in doctor.tested_versions(tmp_path / "none.txt").text


def test_an_unknown_device_is_reported(monkeypatch):
    monkeypatch.setenv("HELPERS_DEVICE", "abacus")
    (finding,) = doctor.computing()
    assert finding.state == "missing" and "abacus" in finding.text


def test_fashion_mnist_that_is_absent_names_the_ways_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HELPERS_FASHION_MNIST", str(tmp_path))
    finding = doctor.fashion_mnist()
    assert finding.state == "optional" and str(tmp_path) in finding.text


def test_no_browser_is_reported(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.browser().state == "optional"


def test_little_disk_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2e9}))
    finding = doctor.disk(tmp_path)
    assert finding.state == "optional" and finding.text.startswith("2.0 GB free")


def test_it_runs_where_notebook_and_widget_packages_are_absent():
    code = (
        "import sys\n"
        "for name in ('IPython', 'anywidget', 'ipywidgets', 'nbformat', 'jupyterlab', 'nbgrader'):\n"
        "    sys.modules[name] = None\n"
        "from helpers import doctor\n"
        "sys.exit(doctor.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "✓ Python" in done.stdout
