"""Success: what the next 24 hours bring, with honest intervals."""

from kolray.models.success.model import SuccessModel
from kolray.models.success.report import SuccessReport
from kolray.models.success.train import TrainedSuccess, train_success

__all__ = ["SuccessModel", "SuccessReport", "TrainedSuccess", "train_success"]
