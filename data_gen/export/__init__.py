"""Traces in the formats that trainers read, and LLaVA-Plus's data read in."""

from .card import dataset_card, yields_table
from .chat import ChatLines, Style, chat_line
from .lessons import Lessons, lesson
from .parquet import ParquetRows, check_parquet
from .plots import save_plots
from .plus_import import Imported, import_plus, stream_items
from .plus_json import PlusItems, plus_item
from .preferences import PreferencePairs
from .statistics import Statistics
from .writing import Exported, Format, LeftOutError, TraceLines, export_folder

__all__ = [
    "ChatLines",
    "Exported",
    "Format",
    "Imported",
    "LeftOutError",
    "Lessons",
    "ParquetRows",
    "PlusItems",
    "PreferencePairs",
    "Statistics",
    "Style",
    "TraceLines",
    "chat_line",
    "check_parquet",
    "dataset_card",
    "export_folder",
    "import_plus",
    "lesson",
    "plus_item",
    "save_plots",
    "stream_items",
    "yields_table",
]
