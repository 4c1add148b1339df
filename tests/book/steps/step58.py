"""Step 58: classify a picture by VGG16 with published weights."""

import numpy as np
from PIL import Image

import dezero
from dezero.models import VGG16


def main():
    model = VGG16(pretrained=True)
    img = Image.fromarray(np.random.randint(0, 255, (60, 80, 3)).astype(np.uint8))
    x = VGG16.preprocess(img, (32, 32))
    x = x[np.newaxis]
    with dezero.test_mode():
        y = model(x)
    model.plot(x, to_file="vgg.pdf")
    predict_id = np.argmax(y.data)
    labels = dezero.datasets.ImageNet.labels()
    assert x.shape == (1, 3, 32, 32) and y.shape == (1, 1000)
    assert labels[predict_id] == f"thing {predict_id}"
