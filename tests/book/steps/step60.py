"""Step 60: train an LSTM on sequences in batches."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Model, SeqDataLoader

ITERATIONS = 20


class BetterRNN(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.rnn = L.LSTM(hidden_size)
        self.fc = L.Linear(out_size)

    def reset_state(self):
        self.rnn.reset_state()

    def __call__(self, x):
        y = self.rnn(x)
        y = self.fc(y)
        return y


def main():
    np.random.seed(0)
    batch_size, hidden_size, bptt_length = 30, 100, 30
    train_set = dezero.datasets.SinCurve(train=True)
    dataloader = SeqDataLoader(train_set, batch_size=batch_size)
    seqlen = len(train_set)
    model = BetterRNN(hidden_size, 1)
    optimizer = dezero.optimizers.Adam().setup(model)
    losses = []
    for _ in range(ITERATIONS):
        model.reset_state()
        loss, count = 0, 0
        for x, t in dataloader:
            y = model(x)
            loss += F.mean_squared_error(y, t)
            count += 1
            if count % bptt_length == 0 or count == seqlen:
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
        losses.append(float(loss.data) / count)
    assert losses[-1] < 0.2 * losses[0]

    xs = np.cos(np.linspace(0, 4 * np.pi, 1000))
    model.reset_state()
    with dezero.no_grad():
        predicted = [float(model(np.array(x).reshape(1, 1))) for x in xs]
    assert np.isfinite(predicted).all()
