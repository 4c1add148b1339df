// Batch normalisation of arrays in the memory order (A, C, B); B = 1 if the channels are last.

// Return the channel of element i; 32-bit divisions are faster than 64-bit divisions.
INLINE Index channel(Index i, Index C, Index B) {
    if (i <= 0xffffffffll) return (unsigned)i / (unsigned)B % (unsigned)C;
    return i / B % C;
}

// y = gamma (x - mean) / sqrt(var + eps) + beta
KERNEL batch_norm(const T* x, const T* mean, const T* var, const T* gamma, const T* beta, T* y,
                  T eps, Index C, Index B, Index n) {
    LOOP(i, n) {
        Index c = channel(i, C, B);
        y[i] = (x[i] - mean[c]) * (gamma[c] / sqrt(var[c] + eps)) + beta[c];
    }
}

// y = a g + b (x - shift) + c
KERNEL channel_sum_of(const T* g, const T* x, const T* shift, const T* a, const T* b, const T* c,
                      T* y, Index C, Index B, Index n) {
    LOOP(i, n) {
        Index k = channel(i, C, B);
        y[i] = a[k] * g[i] + b[k] * (x[i] - shift[k]) + c[k];
    }
}
