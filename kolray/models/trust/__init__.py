"""Trust: is this audience bought? A calibrated probability with an interval and contributions."""

from kolray.models.trust.model import TrustModel
from kolray.models.trust.report import TrustReport
from kolray.models.trust.train import TrainedTrust, train_trust

__all__ = ["TrainedTrust", "TrustModel", "TrustReport", "train_trust"]
