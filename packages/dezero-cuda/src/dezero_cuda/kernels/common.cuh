// Definitions that precede every .cu file of this folder when it is compiled.
//
// Each kernel is written once, for float and double: SCALAR is defined as one of them. No kernel
// adds floating-point numbers atomically, so a launch gives the same bits every time.

typedef SCALAR T;
typedef long long Index;

#define KERNEL extern "C" __global__ void
#define INLINE [[maybe_unused]] static __device__ __forceinline__

// Loop over n elements with the stride of the grid, so that any grid computes all n elements.
#define LOOP(i, n)                                                    \
    for (Index i = blockIdx.x * (Index)blockDim.x + threadIdx.x; i < (n); \
         i += gridDim.x * (Index)blockDim.x)

#ifndef INFINITY  // NVRTC, CuPy's compiler, has no <math.h>
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fc00000)
#endif

#define WARP 32
#define WIDTH (int)(16 / sizeof(T))  // the number of elements in a 16-byte load

template <class X>
struct alignas(sizeof(X) * WIDTH) Pack {
    X v[WIDTH];
};

// Return whether a pointer may be read as Packs.
template <class X>
INLINE bool is_aligned(const X* x) {
    return (unsigned long long)x % sizeof(Pack<X>) == 0;
}

template <class F, class... X>
INLINE Pack<T> map_pack(F f, Pack<X>... x) {
    Pack<T> y;
    for (int k = 0; k < WIDTH; ++k) y.v[k] = f(x.v[k]...);
    return y;
}

// y[i] = f(x[i], ...) for i < n, with 16-byte loads and stores where all pointers are aligned
template <class F, class... X>
INLINE void map(Index n, F f, T* y, const X*... x) {
    bool aligned = is_aligned(y) && (is_aligned(x) && ...);
    Index packs = aligned ? n / WIDTH : 0, rest = packs * WIDTH;
    LOOP(i, packs) ((Pack<T>*)y)[i] = map_pack(f, ((const Pack<X>*)x)[i]...);
    LOOP(i, n - rest) y[rest + i] = f(x[rest + i]...);
}

// Return 1 / (1 + exp(-x)), computed from exp(-|x|), which cannot overflow.
INLINE T logistic(T x) {
    T small = exp(x < 0 ? x : -x);
    return (x < 0 ? small : T(1)) / (T(1) + small);
}

// A group of threads works on one row: a warp if `wide` is 0, else the whole block.
#define ROWS(row, rows, wide)                                                                  \
    for (Index row = wide ? blockIdx.x : (blockIdx.x * (Index)blockDim.x + threadIdx.x) / WARP; \
         row < (rows); row += wide ? gridDim.x : gridDim.x * (Index)(blockDim.x / WARP))

// Loop over n elements with the stride of the group, so that the group computes all n elements.
#define MEMBERS(i, n, wide)                                                        \
    for (Index i = wide ? threadIdx.x : threadIdx.x % WARP; i < (n); \
         i += wide ? blockDim.x : WARP)

struct Sum {
    template <class V>
    __device__ V operator()(V a, V b) const { return a + b; }
};

struct Max {
    __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }  // keeps NaN
};

// Combine one value of each thread of the group; every thread gets the same bits.
template <class F>
INLINE T combined(T value, F f, int wide) {
    for (int k = WARP / 2; k > 0; k /= 2) value = f(value, __shfl_xor_sync(~0u, value, k));
    if (!wide) return value;
    __shared__ T parts[WARP];
    __syncthreads();  // an earlier call may still be reading parts
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = value;
    __syncthreads();
    value = parts[0];
    for (int warp = 1; warp < (int)blockDim.x / WARP; ++warp) value = f(value, parts[warp]);
    return value;
}
