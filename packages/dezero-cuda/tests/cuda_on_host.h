// Run CUDA kernels on the host: compile a .cu file as C++ with this header before it.
//
// The threads of a block are fibers, which run one after the other until each reaches a barrier. The
// blocks of a grid run one after the other, so static variables serve as shared memory. A shuffle is
// two barriers of the whole block, because all threads of a block run the same code here.

#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static

using std::erfc;
using std::exp;
using std::log;
using std::sqrt;
using std::tanh;

struct Dimensions {
    unsigned x, y, z;
};
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

struct Fiber {
    ucontext_t context;
    char stack[1 << 16];
    bool done;
    long barriers;
};
static ucontext_t scheduler;
static Fiber fibers[1024];
static void (*body)(void**);
static void** body_arguments;

static void yield() {
    unsigned me = threadIdx.x;
    swapcontext(&fibers[me].context, &scheduler);
}

static void __syncthreads() {
    ++fibers[threadIdx.x].barriers;
    yield();
}

template <class V>
V __shfl_xor_sync(unsigned, V value, int distance) {
    static V slots[1024];
    unsigned me = threadIdx.x;
    slots[me] = value;
    yield();
    V other = slots[me ^ distance];
    yield();
    return other;
}

static void run_fiber() {
    body(body_arguments);
    fibers[threadIdx.x].done = true;
}

// Run one block; return whether all threads reached the same number of barriers.
static bool run_block() {
    for (unsigned t = 0; t < blockDim.x; ++t) {
        Fiber& fiber = fibers[t];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = sizeof fiber.stack;
        fiber.context.uc_link = &scheduler;
        fiber.done = false;
        fiber.barriers = 0;
        makecontext(&fiber.context, run_fiber, 0);
    }
    for (bool running = true; running;) {
        running = false;
        for (unsigned t = 0; t < blockDim.x; ++t) {
            if (fibers[t].done) continue;
            threadIdx.x = t;
            swapcontext(&scheduler, &fibers[t].context);
            running |= !fibers[t].done;
        }
    }
    for (unsigned t = 1; t < blockDim.x; ++t)
        if (fibers[t].barriers != fibers[0].barriers) return false;
    return true;
}

template <class... A, size_t... I>
static void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

template <auto kernel, class... A>
static void unpack(void** arguments, void (*)(A...)) {
    call(kernel, arguments, std::index_sequence_for<A...>());
}

// Run a grid of blocks; arguments are pointers to the arguments of the kernel, as for cuLaunchKernel.
template <auto kernel>
static int run_grid(void** arguments, unsigned grid_x, unsigned grid_y, unsigned block) {
    body = [](void** a) { unpack<kernel>(a, kernel); };
    body_arguments = arguments;
    gridDim = {grid_x, grid_y, 1};
    blockDim = {block, 1, 1};
    for (blockIdx.y = 0; blockIdx.y < grid_y; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < grid_x; ++blockIdx.x)
            if (!run_block()) return 1;
    return 0;
}

#define ON_HOST(kernel)                                                                    \
    extern "C" int on_host_##kernel(void** arguments, unsigned x, unsigned y, unsigned b) { \
        return run_grid<kernel>(arguments, x, y, b);                                       \
    }
