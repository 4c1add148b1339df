// Update or clip many tensors in one launch.
//
// The pointers and sizes of up to TENSORS tensors are an argument of the kernel, passed by value
// (3.9 KB of the 4 KB that every device accepts), so nothing is copied to the device before a launch.
// Each block computes a chunk of one tensor:
//
//       tensor 0              tensor 1   tensor 2
//       [chunk][chunk][chu]   [ch]       [chunk][c]        first = 0, 3, 4, 6
//       blocks 0 ... 2        3          4 ... 5

#define TENSORS 88
#define LISTS 4
#define CHUNK 4096

struct Tensors {
    T* arrays[LISTS][TENSORS];  // list 0: results; the other lists depend on the kernel
    Index sizes[TENSORS];
    int first[TENSORS + 1];
    int count;
};

// A number that a launch passes by value, or reads from device memory if the pointer is not null
struct Number {
    const T* pointer;
    double value;
    __device__ T get() const { return pointer ? pointer[0] : T(value); }
};

// Return the tensor to which the chunk of this block belongs.
INLINE int tensor_of_block(const Tensors& all) {
    int low = 0, high = all.count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (all.first[middle] <= (int)blockIdx.x) low = middle; else high = middle - 1;
    }
    return low;
}

// Apply f to the values of LISTS_USED lists at every position of this block's chunk. The argument of
// f is an array with one value per list. The values of list 1 are only read.
template <int LISTS_USED, class F>
INLINE void change(const Tensors& all, F f) {
    int k = tensor_of_block(all);
    Index begin = (Index)(blockIdx.x - all.first[k]) * CHUNK;
    Index end = begin + CHUNK < all.sizes[k] ? begin + CHUNK : all.sizes[k];
    bool aligned = true;
    for (int list = 0; list < LISTS_USED; ++list) aligned &= is_aligned(all.arrays[list][k]);
    Index packed = aligned ? begin + (end - begin) / WIDTH * WIDTH : begin;
    for (Index i = begin + threadIdx.x * WIDTH; i < packed; i += blockDim.x * WIDTH) {
        Pack<T> packs[LISTS_USED];
        for (int list = 0; list < LISTS_USED; ++list)
            packs[list] = *(const Pack<T>*)(all.arrays[list][k] + i);
        for (int w = 0; w < WIDTH; ++w) {
            T values[LISTS_USED];
            for (int list = 0; list < LISTS_USED; ++list) values[list] = packs[list].v[w];
            f(values);
            for (int list = 0; list < LISTS_USED; ++list) packs[list].v[w] = values[list];
        }
        for (int list = 0; list < LISTS_USED; ++list)
            if (list != 1) *(Pack<T>*)(all.arrays[list][k] + i) = packs[list];
    }
    for (Index i = packed + threadIdx.x; i < end; i += blockDim.x) {
        T values[LISTS_USED];
        for (int list = 0; list < LISTS_USED; ++list) values[list] = all.arrays[list][k][i];
        f(values);
        for (int list = 0; list < LISTS_USED; ++list)
            if (list != 1) all.arrays[list][k][i] = values[list];
    }
}

// Lists p and g: p -= lr (g + decay p)
KERNEL sgd(Tensors all, Number lr, T decay) {
    T rate = lr.get();
    change<2>(all, [=](T* v) { v[0] -= (v[1] + decay * v[0]) * rate; });
}

// Lists p, g and the velocity v: v = momentum v + g + decay p; p -= lr v, or
// p -= lr (g + decay p + momentum v) if nesterov is not 0
KERNEL sgd_momentum(Tensors all, Number lr, T momentum, T decay, int nesterov) {
    T rate = lr.get();
    change<3>(all, [=](T* v) {
        T g = v[1] + decay * v[0];
        v[2] = v[2] * momentum + g;
        v[0] -= (nesterov ? g + v[2] * momentum : v[2]) * rate;
    });
}

// Lists p, g and the velocity v: v = momentum v - lr g; p += v, or p += momentum v - lr g if
// nesterov is not 0
KERNEL momentum_sgd(Tensors all, Number lr, T momentum, int nesterov) {
    T rate = lr.get();
    change<3>(all, [=](T* v) {
        T step = v[1] * rate;
        v[2] = v[2] * momentum - step;
        v[0] += nesterov ? v[2] * momentum - step : v[2];
    });
}

// Lists p, g and the means m and v: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g**2;
// p -= rate m / (sqrt(v) + eps) + decay p
KERNEL adam(Tensors all, Number rate, Number eps, Number decay, double beta1, double beta2) {
    T r = rate.get(), e = eps.get(), d = decay.get();
    T b1 = beta1, c1 = 1 - beta1, b2 = beta2, c2 = 1 - beta2;
    change<4>(all, [=](T* v) {
        v[2] = v[2] * b1 + v[1] * c1;
        v[3] = v[3] * b2 + v[1] * v[1] * c2;
        v[0] -= v[2] / (sqrt(v[3]) + e) * r + v[0] * d;
    });
}

// parts[block] = sum of g**2 over the chunk of the block; list 0: g
KERNEL squares(Tensors all, T* parts) {
    int k = tensor_of_block(all);
    Index begin = (Index)(blockIdx.x - all.first[k]) * CHUNK;
    Index end = begin + CHUNK < all.sizes[k] ? begin + CHUNK : all.sizes[k];
    T sum = 0;
    for (Index i = begin + threadIdx.x; i < end; i += blockDim.x)
        sum += all.arrays[0][k][i] * all.arrays[0][k][i];
    sum = combined(sum, Sum(), 1);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// norm = sqrt(sum of parts), rate = min(1, max_norm / (norm + 1e-6)); one block
KERNEL clip_rate(const T* parts, T* norm, T* rate, T max_norm, Index n) {
    T sum = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += parts[i];
    sum = combined(sum, Sum(), 1);
    if (threadIdx.x > 0) return;
    norm[0] = sqrt(sum);
    T limit = max_norm / (norm[0] + T(1e-6));
    rate[0] = limit > 1 ? T(1) : limit;  // NaN stays NaN
}

// Lists y and g: y = g rate
KERNEL scaled(Tensors all, const T* rate) {
    T r = rate[0];
    change<2>(all, [=](T* v) { v[0] = v[1] * r; });
}
