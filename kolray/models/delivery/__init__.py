"""Model delivery: a challenger answers for some KOLs, and is promoted or taken back by what it proved there."""

from kolray.models.delivery.deliver import Delivery, deliver, stop
from kolray.models.delivery.judgement import Plan
from kolray.models.delivery.trial import Trial, read_trial

__all__ = ["Delivery", "Plan", "Trial", "deliver", "read_trial", "stop"]
