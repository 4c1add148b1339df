// One step of an LSTM or a GRU: one thread computes all gates of an element. A state (H, N) has
// n = H N elements. The gates follow each other in memory, and each gate has n elements.

// Step t of an LSTM. from_x: (T, 4 H, N); from_h: (4 H, N), of this step; hs: (T, H, N); cells: i,
// f, u, o and c of every step, (T, 5, H, N); c: the cell state before the first step.
//     a = from_x + from_h + b;  c = f c + i u;  h = o tanh(c)
KERNEL lstm_step(const T* from_x, const T* from_h, const T* b, const T* c, T* hs, T* cells,
                 Index t, Index N, Index n) {
    from_x += t * 4 * n;
    hs += t * n;
    T* now = cells + t * 5 * n;
    LOOP(e, n) {
        T a[4];
        for (int k = 0; k < 4; ++k)
            a[k] = from_x[k * n + e] + from_h[k * n + e] + b[(k * n + e) / N];
        T i = logistic(a[0]), f = logistic(a[1]), u = tanh(a[2]), o = logistic(a[3]);
        T before = t ? now[e - n] : c[e];  // c of the previous step is stored last
        T cell = f * before + i * u;
        now[e] = i;
        now[n + e] = f;
        now[2 * n + e] = u;
        now[3 * n + e] = o;
        now[4 * n + e] = cell;
        hs[e] = o * tanh(cell);
    }
}

// Run backward through step t. ghs: the gradients of hs, or null; gh: Wh^T ga of step t + 1, not
// read in the last step; gc: the gradient of c after the step, replaced by the gradient of c before
// the step; ga: the gradient of a, (T, 4 H, N).
KERNEL lstm_step_grad(const T* cells, const T* c, const T* ghs, const T* gh, T* gc, T* ga, Index t,
                      int is_last, Index n) {
    const T* now = cells + t * 5 * n;
    ga += t * 4 * n;
    LOOP(e, n) {
        T i = now[e], f = now[n + e], u = now[2 * n + e], o = now[3 * n + e];
        T squashed = tanh(now[4 * n + e]), before = t ? now[e - n] : c[e];
        T g = (ghs ? ghs[t * n + e] : T(0)) + (is_last ? T(0) : gh[e]);
        T of_c = g * o * (T(1) - squashed * squashed) + gc[e];
        ga[e] = of_c * u * (i * (T(1) - i));
        ga[n + e] = of_c * before * (f * (T(1) - f));
        ga[2 * n + e] = of_c * i * (T(1) - u * u);
        ga[3 * n + e] = g * squashed * (o * (T(1) - o));
        gc[e] = of_c * f;
    }
}

// Step t of a GRU. from_x: (T, 3 H, N), without bx; from_h: (3 H, N), without bh; hs: (T, H, N);
// gates: r, z, n and the part m of ah for n, (T, 4, H, N); h: the state before the
// first step.
//     h = n + z (h - n);  n = tanh(ax + r m)
KERNEL gru_step(const T* from_x, const T* from_h, const T* bx, const T* bh, const T* h, T* hs,
                T* gates, Index t, Index N, Index n) {
    from_x += t * 3 * n;
    T *now = gates + t * 4 * n, *out = hs + t * n;
    LOOP(e, n) {
        T ax[3], ah[3];
        for (int k = 0; k < 3; ++k) {
            Index row = (k * n + e) / N;
            ax[k] = from_x[k * n + e] + bx[row];
            ah[k] = from_h[k * n + e] + bh[row];
        }
        T r = logistic(ax[0] + ah[0]), z = logistic(ax[1] + ah[1]), m = ah[2];
        T candidate = tanh(ax[2] + r * m), before = t ? out[e - n] : h[e];
        now[e] = r;
        now[n + e] = z;
        now[2 * n + e] = candidate;
        now[3 * n + e] = m;
        out[e] = candidate + z * (before - candidate);
    }
}

// Run backward through step t. gh: Wh^T gah of step t + 1; carried: g z of step t + 1, which is the
// gradient of h that does not pass through the matmul, replaced by g z of step t; the last step
// reads neither gh nor carried; gax and gah: the gradients of ax and ah, (T, 3 H, N).
KERNEL gru_step_grad(const T* gates, const T* hs, const T* h, const T* ghs, const T* gh,
                     T* carried, T* gax, T* gah, Index t, int is_last, Index n) {
    const T* now = gates + t * 4 * n;
    gax += t * 3 * n;
    gah += t * 3 * n;
    LOOP(e, n) {
        T r = now[e], z = now[n + e], candidate = now[2 * n + e], m = now[3 * n + e];
        T before = t ? hs[(t - 1) * n + e] : h[e];
        T g = ghs[t * n + e] + (is_last ? T(0) : gh[e] + carried[e]);
        T gn = g * (T(1) - z) * (T(1) - candidate * candidate);
        T gr = gn * m * r * (T(1) - r), gz = g * (before - candidate) * z * (T(1) - z);
        gax[e] = gr;
        gax[n + e] = gz;
        gax[2 * n + e] = gn;
        gah[e] = gr;
        gah[n + e] = gz;
        gah[2 * n + e] = gn * r;
        carried[e] = g * z;
    }
}
