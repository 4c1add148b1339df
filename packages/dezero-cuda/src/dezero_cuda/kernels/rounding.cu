// Convert between float32 and bfloat16, which is stored as 16-bit integers.

// y = the bits of x rounded to bfloat16, ties to even; NaN stays NaN
KERNEL to_bfloat16(const T* x, unsigned short* y, Index n) {
    LOOP(i, n) {
        union { float value; unsigned bits; } c;
        c.value = (float)x[i];
        unsigned nearest = c.bits + 0x7fffu + (c.bits >> 16 & 1u);
        y[i] = c.value != c.value ? 0x7fc0 : nearest >> 16;
    }
}

// y = the number whose bits are x
KERNEL from_bfloat16(const unsigned short* x, T* y, Index n) {
    LOOP(i, n) {
        union { float value; unsigned bits; } c;
        c.bits = (unsigned)x[i] << 16;
        y[i] = T(c.value);
    }
}
