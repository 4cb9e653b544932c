"""Secrets of a pipeline stay out of what is shown: fields its definition names, and their values.

Every answer to people passes `Masks.shown`. The log and the rows keep the values; whoever may read
those sees them.
"""

from tracker_service.http_api.masking.mask import EVERYTHING, NOTHING, Mask, mask_of
from tracker_service.http_api.masking.masks import Masks
from tracker_service.http_api.masking.secret_values import MASKED

__all__ = ["EVERYTHING", "MASKED", "NOTHING", "Mask", "Masks", "mask_of"]
