"""Reads metrics as their reference parsers do: prometheus_client's, in either format. Prints what it read as JSON.

Usage: metrics-parsers.py prometheus|openmetrics < TEXT
"""

import json
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as prometheus

parser = {"prometheus": prometheus, "openmetrics": openmetrics}[sys.argv[1]]
text = sys.stdin.buffer.read().decode("utf-8")
families = []
for family in parser.text_string_to_metric_families(text):
    samples = []
    for sample in family.samples:
        exemplar = sample.exemplar
        samples.append(
            {
                "name": sample.name,
                "labels": sample.labels,
                # JSON has no word for what is not a finite number.
                "value": repr(float(sample.value)),
                "exemplar": exemplar and {**exemplar.labels, "value": repr(float(exemplar.value))},
            }
        )
    families.append(
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": samples,
        }
    )
json.dump(families, sys.stdout)
