"""Drain3 on lines of a file, in a Python of its own that has it: `PYTHON with_drain3.py LINES.json OUT.json [masks]`.

It imports nothing of this repository, so that any interpreter will do. The masks are four of those that Drain3's own
documentation gives as an example for logs in general.
"""

import json
import resource
import sys
import time
from pathlib import Path

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

MASKS = (
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)


def processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    lines = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    config = TemplateMinerConfig()
    if "masks" in sys.argv[3:]:
        config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    miner = TemplateMiner(config=config)
    before_s, started_s = processor_s(), time.perf_counter()
    labels = [miner.add_log_message(line)["cluster_id"] for line in lines]
    took = {"processor_s": processor_s() - before_s, "clock_s": time.perf_counter() - started_s}
    templates = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    # What getrusage calls the peak is inherited from the process that started this one.
    took["peak_mb"] = int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024
    Path(sys.argv[2]).write_text(
        json.dumps({**took, "labels": labels, "templates": [templates[label] for label in labels]}), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
