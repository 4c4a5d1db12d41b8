import subprocess
import sys


def loaded_after(code, *names):
    program = f"{code}\nimport sys\nprint([name for name in {names!r} if sys.modules.get(name)])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_skip_slow_imports_keeps_the_grammar_out_and_validation_working():
    code = (
        "from prodintel_lib.lean_imports import skip_slow_imports\n"
        "skip_slow_imports(); skip_slow_imports()\n"
        "import jsonschema, altair, papermill, nbformat\n"
        "nbformat.validate(nbformat.v4.new_notebook())\n"
    )
    assert loaded_after(code, "rfc3987_syntax", "jsonschema") == "['jsonschema']"


def test_without_it_jsonschema_loads_the_grammar():
    assert loaded_after("import jsonschema", "rfc3987_syntax") == "['rfc3987_syntax']"


def test_skip_slow_imports_leaves_a_loaded_module_alone():
    code = (
        "import json\nfrom prodintel_lib import lean_imports\n"
        "lean_imports._HOST = ('json',)\nlean_imports.skip_slow_imports()"
    )
    assert loaded_after(code, "json") == "['json']"


def test_chart_theme_and_reports_load_lean():
    code = "import prodintel_lib.chart_theme, prodintel_lib.reports.html"
    assert loaded_after(code, "rfc3987_syntax", "altair") == "['altair']"
