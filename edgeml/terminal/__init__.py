"""How a running search looks in a terminal; plain lines where the output is not one."""

from edgeml.terminal.lines import PlainListener, where_time_went
from edgeml.terminal.live import LiveListener

__all__ = ["LiveListener", "PlainListener", "where_time_went"]
