"""Renderers: scenarios in, files that run out. They translate and add nothing: what one sends, all of them send."""

from prodintel_lib.renderers.suite import RenderedFile, render_suite, write_files

__all__ = ["RenderedFile", "render_suite", "write_files"]
