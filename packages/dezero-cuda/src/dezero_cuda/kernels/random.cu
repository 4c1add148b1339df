// Random numbers by Philox 4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy
// as 1, 2, 3", 2011.
//
// Philox maps a counter of 128 bits and a key of 64 bits to four integers of 32 bits. The key is the
// seed; the counter is (index of the group of four elements, number of the draw), so each element
// of each draw has its own integer, and the integer does not depend on the thread.

typedef unsigned long long Word64;

struct Four {
    unsigned v[4];
};

INLINE Four philox(Four c, unsigned key0, unsigned key1) {
    for (int round = 0; round < 10; ++round) {
        Word64 a = (Word64)0xD2511F53u * c.v[0], b = (Word64)0xCD9E8D57u * c.v[2];
        c = Four{{(unsigned)(b >> 32) ^ c.v[1] ^ key0, (unsigned)b,
                  (unsigned)(a >> 32) ^ c.v[3] ^ key1, (unsigned)a}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

// Return the four integers of a group. The number of the draw is *draw + offset, or offset if draw
// is null.
INLINE Four group_of(Word64 group, const Word64* draw, Word64 offset, Word64 seed) {
    Word64 number = offset + (draw ? draw[0] : 0);
    Four counter = {{(unsigned)group, (unsigned)(group >> 32), (unsigned)number,
                     (unsigned)(number >> 32)}};
    return philox(counter, (unsigned)seed, (unsigned)(seed >> 32));
}

// y = numbers in [0, 1): multiples of 2**-24 (float), or of 2**-53 (double) from two integers each
KERNEL uniform(T* y, const Word64* draw, Word64 offset, Word64 seed, Index n) {
    const int each = 16 / sizeof(T);
    LOOP(group, (n + each - 1) / each) {
        Four four = group_of(group, draw, offset, seed);
        for (int k = 0; k < each && group * each + k < n; ++k) {
            Word64 wide = ((Word64)four.v[(2 * k + 1) % 4] << 32 | four.v[(2 * k) % 4]) >> 11;
            y[group * each + k] =
                sizeof(T) == 4 ? T(four.v[k] >> 8) * T(1.0 / (1 << 24))
                               : T(wide) * T(1.0 / ((Word64)1 << 53));
        }
    }
}

// y = whether the float number that `uniform` draws for the same element is below p
KERNEL bernoulli(unsigned char* y, float p, const Word64* draw, Word64 offset, Word64 seed,
                 Index n) {
    LOOP(group, (n + 3) / 4) {
        Four four = group_of(group, draw, offset, seed);
        for (int k = 0; k < 4 && group * 4 + k < n; ++k)
            y[group * 4 + k] = (four.v[k] >> 8) * (1.0f / (1 << 24)) < p;
    }
}
