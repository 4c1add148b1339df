"""Run the example gan on the smaller digits: deconvolution, batch normalisation, two optimizers."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader
from dezero.models import Sequential
from dezero.optimizers import Adam

ITERATIONS = 12
HIDDEN = 10


def main():
    np.random.seed(0)
    generator = Sequential(
        L.Linear(64), L.BatchNorm(), F.relu,
        lambda x: F.reshape(x, (-1, 16, 2, 2)),
        L.Deconv2d(8, kernel_size=4, stride=2, pad=1), L.BatchNorm(), F.relu,
        L.Deconv2d(1, kernel_size=4, stride=2, pad=1), F.sigmoid,
    )  # fmt: skip
    discriminator = Sequential(
        L.Conv2d(16, kernel_size=3, stride=2, pad=1), F.leaky_relu,
        L.Conv2d(16, kernel_size=3, stride=2, pad=1), L.BatchNorm(), F.leaky_relu,
        F.flatten, L.Linear(1),
    )  # fmt: skip
    opt_g = Adam(alpha=0.002, beta1=0.5).setup(generator)
    opt_d = Adam(alpha=0.002, beta1=0.5).setup(discriminator)
    loader = DataLoader(dezero.datasets.Digits(), batch_size=100)
    real_target, fake_target = np.ones((100, 1), int), np.zeros((100, 1), int)
    gaps, kept = [], [generator, discriminator]

    for _ in range(ITERATIONS):
        sum_real, sum_fake = 0.0, 0.0
        for x, _ in loader:
            if len(x) < 100:
                continue
            z = np.random.rand(100, HIDDEN).astype("float32")
            fake = generator(z)
            y_real = discriminator(x.reshape(-1, 1, 8, 8))
            y_fake = discriminator(fake)
            loss_d = F.sigmoid_cross_entropy(y_real, real_target)
            loss_d = loss_d + F.sigmoid_cross_entropy(y_fake, fake_target)
            loss_g = F.sigmoid_cross_entropy(y_fake, real_target)
            discriminator.cleargrads()
            loss_d.backward(retain_graph=True)
            opt_d.update()
            generator.cleargrads()
            discriminator.cleargrads()
            loss_g.backward()
            opt_g.update()
            sum_real += float(F.sigmoid(y_real).data.mean())
            sum_fake += float(F.sigmoid(y_fake).data.mean())
        gaps.append(sum_real - sum_fake)
    assert gaps[-1] > 0, "what is real is taken for real more often than what is not"
    with dezero.test_mode():
        pictures = generator(np.random.rand(9, HIDDEN).astype("float32"))
    assert pictures.shape == (9, 1, 8, 8) and pictures.dtype == np.float32
    assert all(np.isfinite(p.data).all() for model in kept for p in model.params())
    # brighter inside than at the rim, as digits are
    means = pictures.data.mean(axis=(0, 1))
    assert means[2:6, 2:6].mean() > means[:, [0, -1]].mean()
