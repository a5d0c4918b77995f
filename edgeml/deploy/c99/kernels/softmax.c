/* SOFTMAX in fixed point: `exponentials` holds exp(-beta * scale * d) in Q31 for d = 0, 1, ..., `count` of
 * them count; one over the sum comes from three Newton steps. */
struct softmax {
    int32_t rows, columns, count;
    const int32_t *exponentials;
};

EDGEML_INLINE int32_t high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* 1 / (1 + value) for a Q31 value in 0..1, in Q31. */
static int32_t softmax_reciprocal(int32_t value)
{
    const int32_t half = (int32_t)(((int64_t)value + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + high_mul(half, -1010580540), i;
    for (i = 0; i < 3; i++) {
        const int64_t step = (int64_t)high_mul(x, (1 << 29) - high_mul(half, x)) * 4;
        x += step > INT32_MAX ? INT32_MAX : step < INT32_MIN ? INT32_MIN : (int32_t)step;
    }
    return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

static void softmax(const struct softmax *p, const int8_t *input, int8_t *output)
{
    int32_t row, i;
    for (row = 0; row < p->rows; row++, input += p->columns, output += p->columns) {
        int32_t most = -128, sum = 0, headroom = 0, reciprocal, exponent;
        uint32_t normal;
        for (i = 0; i < p->columns; i++)
            most = input[i] > most ? input[i] : most;
        for (i = 0; i < p->columns; i++)
            if (most - input[i] < p->count)
                sum += ((p->exponentials[most - input[i]] >> 11) + 1) >> 1; /* to 12 integer bits, rounded */
        for (normal = (uint32_t)sum; !(normal & 0x80000000u); normal <<= 1)
            headroom++;
        reciprocal = softmax_reciprocal((int32_t)(normal & 0x7fffffffu));
        exponent = 35 - headroom; /* 12 integer bits of the sum and 23 of 31 fractional bits */
        for (i = 0; i < p->columns; i++) {
            int32_t value = -128;
            if (most - input[i] < p->count) {
                value = high_mul(reciprocal, p->exponentials[most - input[i]]);
                value = (int32_t)(((int64_t)value + ((int64_t)1 << (exponent - 1))) >> exponent) - 128;
            }
            output[i] = (int8_t)clamp8(value);
        }
    }
}
