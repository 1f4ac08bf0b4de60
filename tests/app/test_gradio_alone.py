import subprocess
import sys

COUNTED = """
import ast, inspect
read = []
segment = ast.get_source_segment
ast.get_source_segment = lambda code, node: read.append(node.name) or segment(code, node)
from app.gradio_alone import import_gradio
import_gradio()
import gradio
assert inspect.getfile(gradio.Textbox).endswith("textbox.py")
assert callable(gradio.Textbox().change)
print(*read)
"""


def test_gradio_reads_no_source_of_components():
    ended = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert set(ended.stdout.split()) <= {"BlocksEvents"}
