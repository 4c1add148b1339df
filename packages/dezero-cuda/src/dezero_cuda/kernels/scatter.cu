// Add rows of values to the rows of an array that ids select, without atomic operations.
//
// order sorts the ids and keeps equal ids in order, so equal ids are neighbours. The first of equal
// ids adds all of their rows, always in the same order:
//
//       ids[order]   2  2  2  5  7  7        n values: count ids with rows of D elements
//                    ^        ^  ^           only these threads add

// x[ids[s], d] += values[s, d] for every s
KERNEL add_rows(const T* values, const Index* ids, const Index* order, T* x, Index D, Index n) {
    Index count = n / D;
    LOOP(t, n) {
        Index s = t / D, d = t % D, row = ids[order[s]];
        if (s > 0 && ids[order[s - 1]] == row) continue;
        double sum = 0;  // one row may receive thousands of values
        for (; s < count && ids[order[s]] == row; ++s) sum += values[order[s] * D + d];
        x[row * D + d] += T(sum);
    }
}
