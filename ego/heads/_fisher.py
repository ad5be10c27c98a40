"""Fisher vectors of many descriptors, as improved dense trajectories are classified (Wang and Schmid 2013)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest

Numbers = NDArray[np.floating[Any]]


class FisherVectors:
    """Halves descriptors with PCA, fits a mixture of Gaussians, and says of a set of them how it differs from it.

    The published setting is 256 components over 256,000 descriptors drawn at random; one such model for each kind
    of descriptor, their vectors side by side, and a linear classifier above.
    """

    def __init__(self, components: int = 256, keep: float = 0.5, seed: int = 0) -> None:
        if components < 1 or not 0 < keep <= 1:
            raise BadRequest(f"got {components} components and keep = {keep:g}, expected at least 1 and 0 < keep <= 1")
        self._components, self._keep, self._seed = components, keep, seed
        self._pca: Any = None
        self._mixture: Any = None

    def fit(self, descriptors: Numbers) -> "FisherVectors":
        """Learns from descriptors (n, D), more than there are components."""
        from sklearn.decomposition import PCA
        from sklearn.mixture import GaussianMixture

        if len(descriptors) <= self._components:
            raise BadRequest(f"got {len(descriptors)} descriptors for {self._components} components, expected more")
        width = max(1, round(self._keep * descriptors.shape[1]))
        self._pca = PCA(width, random_state=self._seed).fit(descriptors)
        self._mixture = GaussianMixture(self._components, covariance_type="diag", random_state=self._seed)
        self._mixture.fit(self._pca.transform(descriptors))
        return self

    def encode(self, descriptors: Numbers) -> NDArray[np.float32]:
        """(2 * components * round(keep * D),) of descriptors (n, D): signed root, then length 1; zeros of none."""
        mixture = self._mixture
        if mixture is None:
            raise BadRequest("got descriptors to encode before any to learn from; call fit first")
        if len(descriptors) == 0:
            return np.zeros(2 * mixture.means_.size, np.float32)
        vector = gradients(self._pca.transform(descriptors), mixture.weights_, mixture.means_, mixture.covariances_)
        rooted = np.sign(vector) * np.sqrt(np.abs(vector))
        return np.asarray(rooted / max(float(np.linalg.norm(rooted)), 1e-12), np.float32)


def gradients(points: Numbers, weights: Numbers, means: Numbers, variances: Numbers) -> NDArray[np.float64]:
    """(2KD,) by mean, then by deviation, of the mean log-likelihood of points (n, D), in Fisher's metric.

    `weights` (K,), `means` and `variances` (K, D) are those of the mixture (Perronnin et al. 2010).
    """
    sizes, deviations = np.asarray(weights)[:, None], np.sqrt(variances)
    square = (points**2) @ (1 / variances).T - 2 * points @ (means / variances).T + (means**2 / variances).sum(1)
    likely = np.log(weights) - np.log(deviations).sum(axis=1) - square / 2
    shares = np.exp(likely - likely.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    total, first, second = shares.sum(axis=0)[:, None], shares.T @ points, shares.T @ points**2
    by_mean = (first - total * means) / deviations
    by_deviation = (second - 2 * means * first + total * means**2) / variances - total
    count = len(points)
    return np.concatenate([
        (by_mean / (count * np.sqrt(sizes))).ravel(), (by_deviation / (count * np.sqrt(2 * sizes))).ravel()
    ])  # fmt: skip
