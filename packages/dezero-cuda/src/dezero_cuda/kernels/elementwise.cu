// Elementwise kernels over n elements, which lie in memory without gaps and in the same order in
// every array.

KERNEL sigmoid(const T* x, T* y, Index n) {
    map(n, [](T a) { return logistic(a); }, y, x);
}

// gx = gy y (1 - y)
KERNEL sigmoid_grad(const T* gy, const T* y, T* gx, Index n) {
    map(n, [](T g, T b) { return g * b * (T(1) - b); }, gx, gy, y);
}

// gx = gy (1 - y**2)
KERNEL tanh_grad(const T* gy, const T* y, T* gx, Index n) {
    map(n, [](T g, T b) { return g * (T(1) - b * b); }, gx, gy, y);
}

// y = x where x > 0, else 0; NaN stays NaN
KERNEL relu(const T* x, T* y, Index n) {
    map(n, [](T a) { return a <= 0 ? T(0) : a; }, y, x);
}

// gx = gy where y > 0, else 0
KERNEL relu_grad(const T* gy, const T* y, T* gx, Index n) {
    map(n, [](T g, T b) { return b > 0 ? g : T(0); }, gx, gy, y);
}

// y = x scale where mask is true, else 0
KERNEL scaled_where(const T* x, const unsigned char* mask, T* y, T scale, Index n) {
    map(n, [=](T a, unsigned char m) { return m ? a * scale : T(0); }, y, x, mask);
}

// y = a + b where the sum is > 0, else 0; NaN stays NaN
KERNEL add_relu(const T* b, const T* a, T* y, Index n) {
    auto body = [](T q, T p) {
        T sum = p + q;
        return sum <= 0 ? T(0) : sum;
    };
    map(n, body, y, b, a);
}

// x = x + y
KERNEL add_to(T* x, const T* y, Index n) {
    map(n, [](T a, T b) { return a + b; }, x, (const T*)x, y);
}

// x[i, c] = x[i, c] + b[c], where a row has C elements
KERNEL add_bias(T* x, const T* b, Index C, Index n) {
    if (C % WIDTH == 0 && is_aligned(x) && is_aligned(b)) {
        Pack<T>* packs = (Pack<T>*)x;
        LOOP(i, n / WIDTH) {
            Pack<T> bias = ((const Pack<T>*)b)[i % (C / WIDTH)];
            packs[i] = map_pack([](T a, T c) { return a + c; }, packs[i], bias);
        }
    } else {
        LOOP(i, n) x[i] += b[i % C];
    }
}

// y = x s, d = s + y (1 - s), with s = 1 / (1 + exp(-x)); d may be null
KERNEL silu(const T* x, T* y, T* d, Index n) {
    LOOP(i, n) {
        T s = logistic(x[i]), product = x[i] * s;
        y[i] = product;
        if (d) d[i] = s + product * (T(1) - s);
    }
}

#define SATURATED T(40)                        // see dezero_nn.functions.gelu
#define GELU_SCALE T(0.79788456080286535588)   // sqrt(2 / pi)
#define GELU_CUBIC T(0.044715)

// y = x s, d = s + c slope, with c = x limited to [-40, 40], s = (1 + erf(c / sqrt(2))) / 2 and
// slope = exp(-c**2 / 2) / sqrt(2 pi); d may be null
KERNEL gelu(const T* x, T* y, T* d, Index n) {
    LOOP(i, n) {
        T a = x[i], c = a > SATURATED ? SATURATED : a < -SATURATED ? -SATURATED : a;
        // erfc keeps its accuracy far below 0, where 1 + erf cancels
        T s = erfc(-c * T(0.70710678118654752440)) * T(0.5);
        y[i] = a * s;
        if (d) d[i] = s + c * exp(c * c * T(-0.5)) * (GELU_SCALE / 2);
    }
}

// y = x s, d = s + c slope, with s = (1 + t) / 2, t = tanh(sqrt(2 / pi) (c + 0.044715 c**3))
KERNEL gelu_tanh(const T* x, T* y, T* d, Index n) {
    LOOP(i, n) {
        T a = x[i], c = a > SATURATED ? SATURATED : a < -SATURATED ? -SATURATED : a;
        T t = tanh(GELU_SCALE * c * (T(1) + GELU_CUBIC * c * c)), s = (t + T(1)) * T(0.5);
        y[i] = a * s;
        if (d)
            d[i] = s + c * (T(1) - t * t) * (T(1) + 3 * GELU_CUBIC * c * c) * (GELU_SCALE / 2);
    }
}
