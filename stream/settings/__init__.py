"""The machinery of settings: frozen dataclasses whose fields say what they mean and what they allow.

This package's own names do no I/O, so that the pure core may declare its settings with them. All settings together
are `stream.settings.root.Settings`; `stream.settings.load` reads them, `stream.settings.show` writes them.
"""

from stream.settings.fields import Section, WrongSetting, section, setting

__all__ = ["Section", "WrongSetting", "section", "setting"]
