"""Run the example grad_cam: use gradients to show where in a picture a network looks."""

import numpy as np
from PIL import Image

import dezero
import dezero.functions as F
from dezero import Variable
from dezero.models import VGG16


def main():
    np.random.seed(0)
    model = VGG16(pretrained=True)
    pixels = np.random.randint(0, 255, (48, 48, 3)).astype(np.uint8)
    x = Variable(VGG16.preprocess(Image.fromarray(pixels), (32, 32))[np.newaxis])
    with dezero.test_mode():
        y = model(x)
    last_conv_output = model.conv5_3.outputs[0]()
    predict = np.argmax(y.data)
    predict_output = y[0, predict]
    predict_output.backward(retain_grad=True)
    grads = last_conv_output.grad
    pooled_grads = F.average(grads, axis=(0, 2, 3))
    heatmap = last_conv_output.data[0] * pooled_grads.data[:, np.newaxis, np.newaxis]
    heatmap = np.maximum(heatmap.mean(axis=0), 0)
    assert grads.shape == last_conv_output.shape == (1, 32, 2, 2)
    assert np.abs(pooled_grads.data).max() > 0 and heatmap.shape == (2, 2)
    expected = finite_difference(model, last_conv_output, predict)
    np.testing.assert_allclose(grads.data[0, 3, 1, 1], expected, rtol=0.05, atol=1e-4)


def finite_difference(model, features, predict):
    """The derivative of the score by one element of the last convolution's output."""

    def score(eps):
        moved = features.data.copy()
        moved[0, 3, 1, 1] += eps
        with dezero.test_mode(), dezero.no_grad():
            h = F.flatten(F.pooling(F.relu(moved), 2, 2))
            return float(model.fc8(F.relu(model.fc7(F.relu(model.fc6(h)))))[0, predict].data)

    return (score(0.05) - score(-0.05)) / 0.1
