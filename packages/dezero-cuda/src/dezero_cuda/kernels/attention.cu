// Compute the weights of attention between its two matmuls. A group of threads computes the row of
// one query, which has a weight for each of S keys. Rows are ordered (B, H, queries).

// Strides of the mask in elements, 0 along axes of length 1
struct Strides {
    Index b, h, t, s;
};

// weights = softmax(scale scores + mask), written over the scores. If a query attends to no key,
// its row is 0.
// dropped = weights factor where keep is true, else 0. mask, keep and dropped may be null. If
// causal is not 0, query t attends to the keys up to t + S - queries.
KERNEL attention_weights(T* scores, const T* mask, Strides strides, const unsigned char* keep,
                         T* dropped, T scale, T factor, int causal, Index H, Index queries, Index S,
                         int wide, Index rows) {
    ROWS(r, rows, wide) {
        Index t = r % queries, h = r / queries % H, b = r / queries / H;
        Index seen = causal ? t + S - queries + 1 : S;
        T* row = scores + r * S;
        T highest = -INFINITY, total = 0;
        MEMBERS(s, S, wide) {
            T score = row[s] * scale;
            if (mask)
                score += mask[b * strides.b + h * strides.h + t * strides.t + s * strides.s];
            row[s] = s < seen ? score : T(-INFINITY);
            highest = Max()(highest, row[s]);
        }
        highest = combined(highest, Max(), wide);
        if (highest == T(-INFINITY)) highest = 0;
        MEMBERS(s, S, wide) {
            row[s] = exp(row[s] - highest);
            total += row[s];
        }
        total = combined(total, Sum(), wide);
        if (total < T(0.5)) total = T(0.5);  // the sum is 0, or at least 1
        MEMBERS(s, S, wide) {
            row[s] /= total;
            if (dropped) dropped[r * S + s] = keep[r * S + s] ? row[s] * factor : T(0);
        }
    }
}

// g = weights (g - sum of g weights) scale, written over g. Before the call, g is the gradient of
// the dropped weights. If keep is not null, g is first multiplied by factor where keep is true, and
// by 0 elsewhere.
KERNEL attention_weights_grad(T* g, const T* weights, const unsigned char* keep, T scale, T factor,
                              Index S, int wide, Index rows) {
    ROWS(r, rows, wide) {
        T* row = g + r * S;
        const T* p = weights + r * S;
        T total = 0;
        MEMBERS(s, S, wide) {
            if (keep) row[s] = keep[r * S + s] ? row[s] * factor : T(0);
            total += row[s] * p[s];
        }
        total = combined(total, Sum(), wide);
        MEMBERS(s, S, wide) row[s] = p[s] * (row[s] - total) * scale;
    }
}
