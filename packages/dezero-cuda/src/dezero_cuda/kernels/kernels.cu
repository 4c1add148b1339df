// CUDA kernels. Unless noted, each thread computes one element of the result.
//
// Each kernel is written once, for float and double: SCALAR is defined as one of them. The tests
// compile the same code for the host, where one thread loops over all elements.

#ifdef HOST
#include <cmath>
using std::exp;
using std::log;
#define KERNEL extern "C" void
#define INLINE static inline
#define LOOP(i, n) for (long long i = 0; i < (n); ++i)
#else
#define KERNEL extern "C" __global__ void
#define INLINE static __device__ __forceinline__
#define LOOP(i, n)                                                              \
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (n); \
         i += (long long)gridDim.x * blockDim.x)
#endif

typedef SCALAR T;

// y = 1 / (1 + exp(-x)), computed from exp(-|x|), which cannot overflow
KERNEL sigmoid(const T* x, T* y, long long n) {
    LOOP(i, n) {
        T small = exp(x[i] < 0 ? x[i] : -x[i]);
        y[i] = (x[i] < 0 ? small : T(1)) / (T(1) + small);
    }
}

// gx = gy y (1 - y)
KERNEL sigmoid_grad(const T* gy, const T* y, T* gx, long long n) {
    LOOP(i, n) gx[i] = gy[i] * y[i] * (T(1) - y[i]);
}

// gx = gy (1 - y**2)
KERNEL tanh_grad(const T* gy, const T* y, T* gx, long long n) {
    LOOP(i, n) gx[i] = gy[i] * (T(1) - y[i] * y[i]);
}

// y = x scale where mask is true, else 0
KERNEL scaled_where(const T* x, const unsigned char* mask, T* y, T scale, long long n) {
    LOOP(i, n) y[i] = mask[i] ? x[i] * scale : T(0);
}

// y = x where x > 0, else 0; NaN stays NaN
KERNEL relu(const T* x, T* y, long long n) {
    LOOP(i, n) y[i] = x[i] <= 0 ? T(0) : x[i];
}

// gx = gy where y > 0, else 0
KERNEL relu_grad(const T* gy, const T* y, T* gx, long long n) {
    LOOP(i, n) gx[i] = y[i] > 0 ? gy[i] : T(0);
}

// rows[i] = (log of the sum of exp(x[i]) - x[i, t[i]]) / N; one thread per row
KERNEL softmax_cross_entropy(const T* x, const long long* t, T* rows, int C, long long n) {
    LOOP(i, n) {
        const T* row = x + i * C;
        T highest = row[0];
        for (int c = 1; c < C; ++c) highest = row[c] > highest ? row[c] : highest;
        T total = 0;
        for (int c = 0; c < C; ++c) total += exp(row[c] - highest);
        rows[i] = (log(total) - (row[t[i]] - highest)) / T(n);
    }
}

// gx[i] = (softmax(x[i]) - onehot(t[i])) gy / N; one thread per row
KERNEL softmax_cross_entropy_grad(
    const T* gy, const T* x, const long long* t, T* gx, int C, long long n) {
    LOOP(i, n) {
        const T* row = x + i * C;
        T highest = row[0], total = 0, scale = gy[0] / T(n);
        for (int c = 1; c < C; ++c) highest = row[c] > highest ? row[c] : highest;
        for (int c = 0; c < C; ++c) total += exp(row[c] - highest);
        for (int c = 0; c < C; ++c)
            gx[i * C + c] = (exp(row[c] - highest) / total - (c == t[i] ? T(1) : T(0))) * scale;
    }
}

// Parameters of windows: image size (H, W), number of windows (OH, OW), kernel size (KH, KW),
// stride (SH, SW), padding (PH, PW), dilation (DH, DW).
#define WINDOWS                                                                              \
    int H, int W, int OH, int OW, int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW

// Return the flat index in (planes, OH, OW) of the window that begins at (down, across), or -1.
INLINE long long window(long long plane, int down, int across, int OH, int OW, int SH, int SW) {
    bool begins = down >= 0 && across >= 0 && down % SH == 0 && across % SW == 0;
    if (!begins || down / SH >= OH || across / SW >= OW) return -1;
    return (plane * OH + down / SH) * OW + across / SW;
}

// cols[n, c, k, l, i, j] = x[n, c, i*SH - PH + k*DH, j*SW - PW + l*DW], or value in the padding
KERNEL im2col(const T* x, T* cols, T value, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int j = rest % OW; rest /= OW;
        int i = rest % OH; rest /= OH;
        int l = rest % KW; rest /= KW;
        int k = rest % KH; rest /= KH;  // rest is now the index of image and channel
        int row = i * SH - PH + k * DH, column = j * SW - PW + l * DW;
        bool inside = row >= 0 && row < H && column >= 0 && column < W;
        cols[t] = inside ? x[(rest * H + row) * W + column] : value;
    }
}

// x[n, c, row, column] = sum of the elements of cols that im2col reads there
KERNEL col2im(const T* cols, T* x, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int column = rest % W + PW; rest /= W;
        int row = rest % H + PH; rest /= H;
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                long long place = (rest * KH + k) * KW + l;
                long long at = window(place, row - k * DH, column - l * DW, OH, OW, SH, SW);
                if (at >= 0) sum += cols[at];
            }
        x[t] = sum;
    }
}

// y = maximum of each window, or NaN if there is one; index = position of the first maximum
KERNEL max_pool2d(const T* x, T* y, int* index, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int j = rest % OW; rest /= OW;
        int i = rest % OH; rest /= OH;
        bool found = false;
        T best = 0;
        int where = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                int row = i * SH - PH + k, column = j * SW - PW + l;
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                T value = x[(rest * H + row) * W + column];
                if (!found || value > best || (value != value && best == best)) {
                    best = value;
                    where = k * KW + l;
                    found = true;
                }
            }
        y[t] = best;
        index[t] = where;
    }
}

// gx[n, c, row, column] = sum of gy over the windows whose maximum is there
KERNEL max_pool2d_grad(const T* gy, const int* index, T* gx, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int column = rest % W + PW; rest /= W;
        int row = rest % H + PH; rest /= H;
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                long long at = window(rest, row - k, column - l, OH, OW, SH, SW);
                if (at >= 0 && index[at] == k * KW + l) sum += gy[at];
            }
        gx[t] = sum;
    }
}

// y = mean of each window, including the zeros of the padding
KERNEL average_pool2d(const T* x, T* y, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int j = rest % OW; rest /= OW;
        int i = rest % OH; rest /= OH;
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                int row = i * SH - PH + k, column = j * SW - PW + l;
                if (row >= 0 && row < H && column >= 0 && column < W)
                    sum += x[(rest * H + row) * W + column];
            }
        y[t] = sum / T(KH * KW);
    }
}

// gx[n, c, row, column] = sum of gy over the windows that contain it, divided by the window size
KERNEL average_pool2d_grad(const T* gy, T* gx, WINDOWS, long long n) {
    LOOP(t, n) {
        long long rest = t;
        int column = rest % W + PW; rest /= W;
        int row = rest % H + PH; rest /= H;
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                long long at = window(rest, row - k, column - l, OH, OW, SH, SW);
                if (at >= 0) sum += gy[at];
            }
        gx[t] = sum / T(KH * KW);
    }
}
