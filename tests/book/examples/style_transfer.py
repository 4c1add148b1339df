"""Run the example style_transfer: train a picture to match features of two other pictures."""

import numpy as np
from PIL import Image

import dezero
import dezero.functions as F
from dezero import Parameter
from dezero.models import VGG16
from dezero.optimizers import AdaGrad

ITERATIONS = 15


class StyleVGG(VGG16):
    def extract(self, x):
        c1 = F.relu(self.conv1_2(F.relu(self.conv1_1(x))))
        c2 = F.relu(self.conv2_2(F.relu(self.conv2_1(F.average_pooling(c1, 2, 2)))))
        c3 = F.relu(self.conv3_1(F.average_pooling(c2, 2, 2)))
        return c1, c2, c3


class Picture(dezero.Model):
    """The picture that is changed."""

    def __init__(self, data):
        super().__init__()
        self.x = Parameter(data)


def gram_mat(x):
    _, C, H, W = x.shape
    features = F.reshape(x, (C, H * W))
    return F.matmul(features, features.T) / (C * H * W)


def total_variation(x):
    down = F.sum((x[:, :, 1:, :] - x[:, :, :-1, :]) ** 2)
    return down + F.sum((x[:, :, :, 1:] - x[:, :, :, :-1]) ** 2)


def main():
    np.random.seed(0)
    model = StyleVGG(pretrained=True)
    pixels = np.random.randint(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    content, style = (StyleVGG.preprocess(Image.fromarray(p), (32, 32))[np.newaxis] for p in pixels)
    with dezero.no_grad():
        content_features = [x.data for x in model.extract(content)]
        style_grams = [gram_mat(x).data for x in model.extract(style)]
    picture = Picture(content.copy())
    optimizer = AdaGrad(lr=2.0).setup(picture)
    losses = []
    for _ in range(ITERATIONS):
        picture.cleargrads()
        model.cleargrads()
        features = model.extract(picture.x)
        loss = 1e-6 * total_variation(picture.x)
        loss = loss + 0.01 * F.mean_squared_error(features[1], content_features[1])
        for x, gram in zip(features, style_grams, strict=True):
            loss = loss + F.mean_squared_error(gram_mat(x), gram)
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    assert losses[-1] < 0.7 * losses[0]
    assert np.abs(picture.x.data - content).max() > 1
