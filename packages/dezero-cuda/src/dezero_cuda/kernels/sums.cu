// Sums over rows and over channels. A sum of many terms takes two or more launches.
//
// The terms have the memory order (A, C, B), and the sums are over A and B:
//
//       B = 1   rows of C elements: the bias of a layer, or images with the channels last
//       B > 1   images (N, C, H, W): A = N and B = H W
//
// Each block adds the terms of a part of A, so a launch writes (parts, C), and the next launch adds
// the parts. The launch chooses the parts so that a thread adds few terms one after the other, which
// limits the rounding error.

#define COLUMNS 32

// The terms g of one sum
struct One {
    const T* g;
    static const int COUNT = 1;
    __device__ T at(Index i, Index c, int k) const { return g[i]; }
};

// The terms g and g (x - shift) of two sums, with a shift for each channel
struct OfChannels {
    const T *g, *x, *shift;
    static const int COUNT = 2;
    __device__ T at(Index i, Index c, int k) const {
        return k ? g[i] * (x[i] - shift[c]) : g[i];
    }
};

// The terms (x - shift)**2 of one sum, with a shift for each channel
struct Squares {
    const T *x, *shift;
    static const int COUNT = 1;
    __device__ T at(Index i, Index c, int k) const {
        T centred = x[i] - shift[c];
        return centred * centred;
    }
};

// The terms g and g n of two sums, where n = (x - mean) inverse. Each row has a mean and an inverse;
// if the pointer mean is null, the means are 0
struct OfRows {
    const T *g, *x, *mean, *inverse;
    Index C;
    static const int COUNT = 2;
    __device__ T at(Index i, Index c, int k) const {
        Index row = i / C;
        return k ? g[i] * (x[i] - (mean ? mean[row] : T(0))) * inverse[row] : g[i];
    }
};

// The results of one sum or of two sums
struct Sums {
    T* y[2];
};

// y[k][part, c] = sum of the terms of rows part * chunk ... (part + 1) * chunk; block: COLUMNS
// columns and blockDim.x / COLUMNS rows; grid: (column blocks, parts)
template <class F>
INLINE void sum_columns(F f, Sums sums_of, Index A, Index C, Index chunk) {
    __shared__ T sums[1024];
    Index column = blockIdx.x * (Index)COLUMNS + threadIdx.x % COLUMNS;
    Index begin = blockIdx.y * chunk, end = begin + chunk < A ? begin + chunk : A;
    int height = blockDim.x / COLUMNS;
    for (int k = 0; k < F::COUNT; ++k) {
        T sum = 0;
        if (column < C)
            for (Index row = begin + threadIdx.x / COLUMNS; row < end; row += height)
                sum += f.at(row * C + column, column, k);
        __syncthreads();  // a thread may still read the sums of the previous k
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.x >= COLUMNS || column >= C) continue;
        for (int row = 1; row < height; ++row) sum += sums[row * COLUMNS + threadIdx.x];
        sums_of.y[k][blockIdx.y * C + column] = sum;
    }
}

// y[k][part, c] = sum of the terms of images part * chunk ... (part + 1) * chunk; grid: (C, parts)
template <class F>
INLINE void sum_images(F f, Sums sums_of, Index A, Index C, Index B, Index chunk) {
    Index c = blockIdx.x, begin = blockIdx.y * chunk, end = begin + chunk < A ? begin + chunk : A;
    for (int k = 0; k < F::COUNT; ++k) {
        T total = 0;
        for (Index a = begin; a < end; ++a) {
            T sum = 0;  // the sum of one image, so that each of the two sums adds few terms
            for (Index b = threadIdx.x; b < B; b += blockDim.x)
                sum += f.at((a * C + c) * B + b, c, k);
            total += sum;
        }
        total = combined(total, Sum(), 1);
        if (threadIdx.x == 0) sums_of.y[k][blockIdx.y * C + c] = total;
    }
}

KERNEL column_sums(const T* g, T* y, Index C, Index chunk, Index A) {
    sum_columns(One{g}, Sums{{y, y}}, A, C, chunk);
}

KERNEL image_sums(const T* g, T* y, Index C, Index B, Index chunk, Index A) {
    sum_images(One{g}, Sums{{y, y}}, A, C, B, chunk);
}

KERNEL column_products(const T* g, const T* x, const T* shift, T* y, T* products, Index C,
                       Index chunk, Index A) {
    sum_columns(OfChannels{g, x, shift}, Sums{{y, products}}, A, C, chunk);
}

KERNEL image_products(const T* g, const T* x, const T* shift, T* y, T* products, Index C, Index B,
                      Index chunk, Index A) {
    sum_images(OfChannels{g, x, shift}, Sums{{y, products}}, A, C, B, chunk);
}

KERNEL column_squares(const T* x, const T* shift, T* y, Index C, Index chunk, Index A) {
    sum_columns(Squares{x, shift}, Sums{{y, y}}, A, C, chunk);
}

KERNEL image_squares(const T* x, const T* shift, T* y, Index C, Index B, Index chunk, Index A) {
    sum_images(Squares{x, shift}, Sums{{y, y}}, A, C, B, chunk);
}

// The gradients of beta and gamma of a layer normalisation, or of an RMS normalisation if mean is
// null
KERNEL norm_sums(const T* g, const T* x, const T* mean, const T* inverse, T* y, T* products,
                 Index C, Index chunk, Index A) {
    sum_columns(OfRows{g, x, mean, inverse, C}, Sums{{y, products}}, A, C, chunk);
}

// y = sum of the n elements of x; one block
KERNEL total(const T* x, T* y, Index n) {
    T sum = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
    sum = combined(sum, Sum(), 1);
    if (threadIdx.x == 0) y[0] = sum;
}
