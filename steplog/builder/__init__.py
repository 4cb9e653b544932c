"""Build a definition in Python: steps that follow one another, branches, joins, maps, children.

What comes out is the same JSON that a file would hold, so it is checked, recorded, drawn and run in
the same way.
"""

from steplog.builder.conditions import all_of, any_of, not_, when
from steplog.builder.pipeline_builder import PipelineBuilder, pipeline
from steplog.builder.places import Branches, StepPlace, join

__all__ = [
    "Branches",
    "PipelineBuilder",
    "StepPlace",
    "all_of",
    "any_of",
    "join",
    "not_",
    "pipeline",
    "when",
]
