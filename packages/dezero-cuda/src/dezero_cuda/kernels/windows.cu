// Windows of images: im2col, col2im and pooling. Each thread computes one element of the result.
//
// Images are contiguous in the order (N, C, H, W), or (N, H, W, C) for pooling with channels_last.

// Parameters of windows: image size (H, W), number of windows (OH, OW), kernel size (KH, KW),
// stride (SH, SW), padding (PH, PW), dilation (DH, DW).
#define WINDOWS                                                                              \
    int H, int W, int OH, int OW, int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW

// Return the flat index in (planes, OH, OW) of the window that begins at (down, across), or -1.
INLINE Index window(Index plane, int down, int across, int OH, int OW, int SH, int SW) {
    bool begins = down >= 0 && across >= 0 && down % SH == 0 && across % SW == 0;
    if (!begins || down / SH >= OH || across / SW >= OW) return -1;
    return (plane * OH + down / SH) * OW + across / SW;
}

// cols[n, c, k, l, i, j] = x[n, c, i*SH - PH + k*DH, j*SW - PW + l*DW], or value in the padding
KERNEL im2col(const T* x, T* cols, T value, WINDOWS, Index n) {
    LOOP(t, n) {
        Index rest = t;
        int j = rest % OW; rest /= OW;
        int i = rest % OH; rest /= OH;
        int l = rest % KW; rest /= KW;
        int k = rest % KH; rest /= KH;  // rest is now the index of image and channel
        int row = i * SH - PH + k * DH, column = j * SW - PW + l * DW;
        bool inside = row >= 0 && row < H && column >= 0 && column < W;
        cols[t] = inside ? x[(rest * H + row) * W + column] : value;
    }
}

// x[n, c, row, column] = sum of the elements of cols that im2col copies from this position
KERNEL col2im(const T* cols, T* x, WINDOWS, Index n) {
    LOOP(t, n) {
        Index rest = t;
        int column = rest % W + PW; rest /= W;
        int row = rest % H + PH; rest /= H;
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                Index place = (rest * KH + k) * KW + l;
                Index at = window(place, row - k * DH, column - l * DW, OH, OW, SH, SW);
                if (at >= 0) sum += cols[at];
            }
        x[t] = sum;
    }
}

// An element of images: image n, channel c, row i, column j
struct Element {
    Index n;
    int c, i, j;
};

// Return the element at a flat index of images with C channels of H rows of W columns.
INLINE Element element(Index t, int C, int H, int W, int channels_last) {
    Element e;
    if (channels_last) { e.c = t % C; t /= C; }
    e.j = t % W; t /= W;
    e.i = t % H; t /= H;
    if (!channels_last) { e.c = t % C; t /= C; }
    e.n = t;
    return e;
}

// Return the flat index of row i and column j in the image and channel of e.
INLINE Index flat(Element e, int i, int j, int C, int H, int W, int channels_last) {
    return channels_last ? ((e.n * H + i) * W + j) * C + e.c : ((e.n * C + e.c) * H + i) * W + j;
}

// y = maximum of each window, or NaN if the window contains NaN. If index is not null, index =
// position of the first maximum in the window.
KERNEL max_pool2d(const T* x, T* y, unsigned char* index, int C, int last, WINDOWS, Index n) {
    LOOP(t, n) {
        Element e = element(t, C, OH, OW, last);
        bool found = false;
        T best = 0;
        int where = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                int row = e.i * SH - PH + k, column = e.j * SW - PW + l;
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                T value = x[flat(e, row, column, C, H, W, last)];
                if (!found || value > best || (value != value && best == best)) {
                    best = value;
                    where = k * KW + l;
                    found = true;
                }
            }
        y[t] = best;
        if (index) index[t] = where;
    }
}

// Return the first window that contains the padded position `at`.
INLINE int first_window(int at, int kernel, int stride) {
    return at < kernel ? 0 : (at - kernel) / stride + 1;
}

// Loop over the windows (i, j) that contain element e; `at` is the flat index of a window in gy.
#define WINDOWS_OF(e, i, j, at)                                                              \
    int down = e.i + PH, across = e.j + PW;                                                  \
    for (int i = first_window(down, KH, SH); i < OH && i * SH <= down; ++i)                  \
        for (int j = first_window(across, KW, SW); j < OW && j * SW <= across; ++j)          \
            for (Index at = flat(e, i, j, C, OH, OW, last), once = 1; once; once = 0)

// gx[n, c, row, column] = sum of gy over the windows whose maximum is at this position
KERNEL max_pool2d_grad(const T* gy, const unsigned char* index, T* gx, int C, int last, WINDOWS,
                       Index n) {
    LOOP(t, n) {
        Element e = element(t, C, H, W, last);
        T sum = 0;
        WINDOWS_OF(e, i, j, at)
            if (index[at] == (down - i * SH) * KW + across - j * SW) sum += gy[at];
        gx[t] = sum;
    }
}

// y = mean of each window, including the zeros of the padding
KERNEL average_pool2d(const T* x, T* y, int C, int last, WINDOWS, Index n) {
    LOOP(t, n) {
        Element e = element(t, C, OH, OW, last);
        T sum = 0;
        for (int k = 0; k < KH; ++k)
            for (int l = 0; l < KW; ++l) {
                int row = e.i * SH - PH + k, column = e.j * SW - PW + l;
                if (row >= 0 && row < H && column >= 0 && column < W)
                    sum += x[flat(e, row, column, C, H, W, last)];
            }
        y[t] = sum / T(KH * KW);
    }
}

// gx[n, c, row, column] = sum of gy over the windows that contain this position, divided by the
// window size
KERNEL average_pool2d_grad(const T* gy, T* gx, int C, int last, WINDOWS, Index n) {
    LOOP(t, n) {
        Element e = element(t, C, H, W, last);
        T sum = 0;
        WINDOWS_OF(e, i, j, at) sum += gy[at];
        gx[t] = sum / T(KH * KW);
    }
}
