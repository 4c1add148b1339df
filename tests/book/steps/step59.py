"""Step 59: train a recurrent network on a sine curve, with truncated backpropagation."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Model

ITERATIONS = 5


class SimpleRNN(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.rnn = L.RNN(hidden_size)
        self.fc = L.Linear(out_size)

    def reset_state(self):
        self.rnn.reset_state()

    def __call__(self, x):
        h = self.rnn(x)
        y = self.fc(h)
        return y


def main():
    np.random.seed(0)
    hidden_size, bptt_length = 100, 30
    train_set = dezero.datasets.SinCurve(train=True)
    seqlen = len(train_set)
    model = SimpleRNN(hidden_size, 1)
    optimizer = dezero.optimizers.Adam().setup(model)
    losses = []
    for _ in range(ITERATIONS):
        model.reset_state()
        loss, count = 0, 0
        for x, t in train_set:
            x = x.reshape(1, 1)
            y = model(x)
            loss += F.mean_squared_error(y, t)
            count += 1
            if count % bptt_length == 0 or count == seqlen:
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
        losses.append(float(loss.data) / count)
    assert losses[-1] < 0.1 * losses[0]

    xs = np.cos(np.linspace(0, 4 * np.pi, 1000))
    model.reset_state()
    with dezero.no_grad():
        predicted = [float(model(np.array(x).reshape(1, 1))) for x in xs]
    assert np.abs(np.array(predicted[100:-1]) - xs[101:]).mean() < 0.3
