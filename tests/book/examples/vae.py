"""Run the example vae on the smaller digits: encode by convolutions, decode by deconvolutions."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader, Model
from dezero.optimizers import Adam

ITERATIONS = 8


class Encoder(Model):
    def __init__(self, latent_size):
        super().__init__()
        self.conv1, self.conv2 = L.Conv2d(16, 3, stride=1, pad=1), L.Conv2d(16, 3, stride=2, pad=1)
        self.linear1, self.linear2 = L.Linear(32), L.Linear(latent_size)
        self.linear3 = L.Linear(latent_size)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = F.relu(self.linear1(F.flatten(x)))
        z_mean, z_log_var = self.linear2(x), self.linear3(x)
        return z_mean, z_log_var

    def sampling(self, z_mean, z_log_var):
        epsilon = np.random.randn(*z_mean.shape).astype("float32")
        return z_mean + F.exp(0.5 * z_log_var) * epsilon


class Decoder(Model):
    def __init__(self):
        super().__init__()
        self.linear = L.Linear(16 * 4 * 4)
        self.deconv = L.Deconv2d(16, kernel_size=4, stride=2, pad=1)
        self.conv = L.Conv2d(1, kernel_size=3, stride=1, pad=1)

    def forward(self, x):
        x = F.relu(self.linear(x))
        x = F.reshape(x, (x.shape[0], 16, 4, 4))
        x = F.relu(self.deconv(x))
        return F.sigmoid(self.conv(x))


class VAE(Model):
    def __init__(self, latent_size):
        super().__init__()
        self.encoder, self.decoder = Encoder(latent_size), Decoder()

    def forward(self, x, C=1.0, k=1):
        """The loss: the reconstruction's, and the distance from a normal distribution."""
        z_mean, z_log_var = self.encoder(x)
        rec_loss = 0
        for _ in range(k):
            z = self.encoder.sampling(z_mean, z_log_var)
            y = self.decoder(z)
            rec_loss += F.binary_cross_entropy(F.flatten(y), F.flatten(x)) / k
        kl_loss = C * (z_mean**2 + F.exp(z_log_var) - z_log_var - 1) * 0.5
        kl_loss = F.sum(kl_loss) / len(x)
        return rec_loss + kl_loss


def main():
    np.random.seed(0)
    vae = VAE(2)
    optimizer = Adam(alpha=0.003).setup(vae)
    loader = DataLoader(dezero.datasets.Digits(), 32)
    losses = []
    for _ in range(ITERATIONS):
        sum_loss = 0.0
        for x, _ in loader:
            x = x.reshape(-1, 1, 8, 8)
            loss = vae(x)
            vae.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(x)
        losses.append(sum_loss / loader.data_size)
    assert losses[-1] < 0.85 * losses[0] and losses == sorted(losses, reverse=True)
    pictures = vae.decoder(np.random.randn(4, 2).astype("float32"))
    assert pictures.shape == (4, 1, 8, 8)
