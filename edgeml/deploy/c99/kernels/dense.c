/* FULLY_CONNECTED: four outputs at a time, weights interleaved in words of four inputs, the input's zero point
 * in the bias. LiteRT rounds once here, from a double; multiplier and shift were chosen so that this integer rule
 * gives the same for every sum there can be. */
struct dense {
    int32_t rows, inputs, outputs; /* inputs: of a row */
    int32_t out_zero, low, high;
    const int8_t *weights;
    const struct channel *channels; /* four more than outputs / 4 * 4 where that leaves a rest */
};

EDGEML_INLINE int32_t scaled_once(int32_t value, int32_t multiplier, int32_t shift)
{
    return (int32_t)(((int64_t)value * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

static void dense(const struct dense *p, const int8_t *input, int8_t *output)
{
    int32_t row, k, i, j;
    for (row = 0; row < p->rows; row++, input += p->inputs) {
        const int8_t *w = p->weights;
        for (k = 0; k < p->outputs; k += 4) {
            const struct channel *q = p->channels + k;
            int32_t sums[4];
            int32_t a = q[0].bias, b = q[1].bias, c = q[2].bias, d = q[3].bias;
            const int8_t *x = input;
            for (i = p->inputs; i >= 4; i -= 4, x += 4, w += 16) {
#if EDGEML_DSP
                uint32_t four, even, odd, weven, wodd;
                memcpy(&four, x, 4);
                __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(four));
                __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
#define EDGEML_FOUR(place, sum)                                                     \
    do {                                                                            \
        memcpy(&four, (place), 4);                                                  \
        __asm__("sxtb16 %0, %1" : "=r"(weven) : "r"(four));                         \
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(wodd) : "r"(four));                  \
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(even), "r"(weven));        \
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(odd), "r"(wodd));          \
    } while (0)
                EDGEML_FOUR(w, a);
                EDGEML_FOUR(w + 4, b);
                EDGEML_FOUR(w + 8, c);
                EDGEML_FOUR(w + 12, d);
#undef EDGEML_FOUR
#else
                for (j = 0; j < 4; j++) {
                    a += x[j] * w[j];
                    b += x[j] * w[4 + j];
                    c += x[j] * w[8 + j];
                    d += x[j] * w[12 + j];
                }
#endif
            }
            if (i > 0) {
                for (j = 0; j < i; j++) {
                    a += x[j] * w[j];
                    b += x[j] * w[4 + j];
                    c += x[j] * w[8 + j];
                    d += x[j] * w[12 + j];
                }
                w += 16;
            }
            sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
            for (j = 0; j < 4 && k + j < p->outputs; j++)
                *output++ = (int8_t)clamp(scaled_once(sums[j], q[j].multiplier, q[j].shift) + p->out_zero, p->low,
                                          p->high);
        }
    }
}
