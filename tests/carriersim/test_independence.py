"""The judge stands apart: carriersim imports nothing of the platform, and runs without Django."""

import ast
import sys
from pathlib import Path

import carriersim

_FOLDER = Path(carriersim.__file__).parent
# The benchmark's load generator is libcurl.
_ALLOWED = {*sys.stdlib_module_names, "carriersim", "pycurl"}


def test_it_imports_only_the_standard_library_and_itself() -> None:
    imported: set[str] = set()
    for path in _FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])

    assert imported - _ALLOWED == set()
    assert "carriersim" in imported
