// Layer and RMS normalisation of rows of C contiguous elements; a group of threads computes
// each row.
// gamma and beta may be null.

// y = gamma (x - mean) inverse + beta, mean, and inverse = 1 / sqrt(var + eps)
KERNEL layer_norm(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse, T eps,
                  Index C, int wide, Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T sum = 0, squares = 0;
        MEMBERS(c, C, wide) sum += row[c];
        T centre = combined(sum, Sum(), wide) / T(C);
        MEMBERS(c, C, wide) squares += (row[c] - centre) * (row[c] - centre);
        T scale = T(1) / sqrt(combined(squares, Sum(), wide) / T(C) + eps);
        MEMBERS(c, C, wide) {
            T n = (row[c] - centre) * scale * (gamma ? gamma[c] : T(1));
            y[r * C + c] = beta ? n + beta[c] : n;
        }
        mean[r] = centre;
        inverse[r] = scale;
    }
}

// y = gamma x inverse, and inverse = 1 / sqrt(mean of x**2 + eps)
KERNEL rms_norm(const T* x, const T* gamma, T* y, T* inverse, T eps, Index C, int wide,
                Index rows) {
    ROWS(r, rows, wide) {
        const T* row = x + r * C;
        T squares = 0;
        MEMBERS(c, C, wide) squares += row[c] * row[c];
        T scale = T(1) / sqrt(combined(squares, Sum(), wide) / T(C) + eps);
        MEMBERS(c, C, wide) y[r * C + c] = row[c] * scale * (gamma ? gamma[c] : T(1));
        inverse[r] = scale;
    }
}

// gx = (g - mean of g - n mean of (g n)) inverse, with g = gy gamma and n = (x - mean) inverse; if
// mean is null, n = x inverse and the mean of g is left out
KERNEL norm_grad(const T* gy, const T* x, const T* gamma, const T* mean, const T* inverse, T* gx,
                 Index C, int wide, Index rows) {
    ROWS(r, rows, wide) {
        T centre = mean ? mean[r] : T(0), scale = inverse[r], sum = 0, products = 0;
        MEMBERS(c, C, wide) {
            T g = gy[r * C + c] * (gamma ? gamma[c] : T(1));
            sum += g;
            products += g * (x[r * C + c] - centre) * scale;
        }
        sum = mean ? combined(sum, Sum(), wide) / T(C) : T(0);
        products = combined(products, Sum(), wide) / T(C);
        MEMBERS(c, C, wide) {
            T g = gy[r * C + c] * (gamma ? gamma[c] : T(1));
            T n = (x[r * C + c] - centre) * scale;
            gx[r * C + c] = (g - n * products - sum) * scale;
        }
    }
}
