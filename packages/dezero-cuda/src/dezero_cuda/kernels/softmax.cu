// Softmax and cross entropy of rows of C contiguous elements; a group of threads computes each row.

// Return the maximum of a row.
INLINE T row_max(const T* row, Index C, int wide) {
    T highest = row[0];
    MEMBERS(c, C, wide) highest = Max()(highest, row[c]);
    return combined(highest, Max(), wide);
}

// Return the sum of exp(row - highest).
INLINE T row_total(const T* row, T highest, Index C, int wide) {
    T total = 0;
    MEMBERS(c, C, wide) total += exp(row[c] - highest);
    return combined(total, Sum(), wide);
}

// y = exp(x) / sum of exp(x)
KERNEL softmax(const T* x, T* y, Index C, int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T highest = row_max(row, C, wide), total = row_total(row, highest, C, wide);
        MEMBERS(c, C, wide) y[r * C + c] = exp(row[c] - highest) / total;
    }
}

// y = x - log of the sum of exp(x)
KERNEL log_softmax(const T* x, T* y, Index C, int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T highest = row_max(row, C, wide), log_total = log(row_total(row, highest, C, wide));
        MEMBERS(c, C, wide) y[r * C + c] = row[c] - highest - log_total;
    }
}

// gx = y (gy - sum of gy y)
KERNEL softmax_grad(const T* gy, const T* y, T* gx, Index C, int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T *g = gy + r * C, *p = y + r * C;
        T total = 0;
        MEMBERS(c, C, wide) total += g[c] * p[c];
        total = combined(total, Sum(), wide);
        MEMBERS(c, C, wide) gx[r * C + c] = p[c] * (g[c] - total);
    }
}

// losses[r] = -s log softmax(x[r])[t[r]], where s is scale[r], or 1 / rows if scale is null. If gx
// is not null, the gradient of x is written to gx. If the scale of a row is 0, its loss is 0. If a
// label is outside of [0, C), its loss is NaN.
KERNEL cross_entropy(const T* x, const Index* t, const T* scale, T* losses, T* gx, Index C,
                     int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T highest = row_max(row, C, wide), total = row_total(row, highest, C, wide);
        T s = scale ? scale[r] : T(1) / T(rows);
        bool is_class = t[r] >= 0 && t[r] < C;
        T loss = is_class ? (log(total) - (row[t[r]] - highest)) * s : T(NAN);
        losses[r] = scale && s == 0 ? T(0) : loss;
        if (gx)
            MEMBERS(c, C, wide)
                gx[r * C + c] = (exp(row[c] - highest) / total - (c == t[r] ? T(1) : T(0))) * s;
    }
}

// gx[r] = (softmax(x[r]) - onehot(t[r])) gy / rows
KERNEL softmax_cross_entropy_grad(const T* gy, const T* x, const Index* t, T* gx, Index C,
                                  int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T highest = row_max(row, C, wide), total = row_total(row, highest, C, wide);
        T scale = gy[0] / T(rows);
        MEMBERS(c, C, wide)
            gx[r * C + c] = (exp(row[c] - highest) / total - (c == t[r] ? T(1) : T(0))) * scale;
    }
}
