"""Export DeZero's models as ONNX files, and read the weights of ONNX files."""

from .__about__ import __version__
from .errors import ExportError
from .export import ExportReport, export_onnx

__all__ = ["ExportError", "ExportReport", "__version__", "export_onnx"]
