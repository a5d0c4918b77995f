/* DEPTHWISE_CONV_2D with one output channel per input channel and at least four of them: four channels at a
 * time. Weights are grouped the same way, a word for each place of the window; where channels are no multiple
 * of four the last group overlaps the one before it. */
struct depthwise {
    int16_t in_height, in_width, in_channels;
    int16_t out_height, out_width;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t dilation_height, dilation_width;
    int16_t pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
    const int8_t *weights;
    const struct channel *channels;
};

#if EDGEML_DSP
/* One place of the window for four channels: their values at `place`, their weights at w. */
#define EDGEML_TAP(place)                 \
    "ldr %[x0], " place "\n\t"            \
    "ldr %[w0], [%[w]], #4\n\t"           \
    "sxtab16 %[x1], %[o], %[x0], ror #8\n\t" \
    "sxtab16 %[x0], %[o], %[x0]\n\t"      \
    "sxtb16 %[w1], %[w0], ror #8\n\t"     \
    "sxtb16 %[w0], %[w0]\n\t"             \
    "smlabb %[a], %[x0], %[w0], %[a]\n\t" \
    "smlabb %[b], %[x1], %[w1], %[b]\n\t" \
    "smlatt %[c], %[x0], %[w0], %[c]\n\t" \
    "smlatt %[d], %[x1], %[w1], %[d]\n\t"
#define EDGEML_TAPS(taps)                                                                                    \
    __asm__ volatile(taps                                                                                    \
                     : [x] "+r"(x), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),         \
                       [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0), [w1] "=&r"(w1)                        \
                     : [o] "r"(offset), [s] "r"(step)                                                        \
                     : "memory")
#define EDGEML_THREE EDGEML_TAP("[%[x]]") EDGEML_TAP("[%[x], %[s]]") EDGEML_TAP("[%[x], %[s], lsl #1]")
#define EDGEML_FIVE \
    EDGEML_THREE "add %[x], %[x], %[s], lsl #1\n\t" EDGEML_TAP("[%[x], %[s]]") EDGEML_TAP("[%[x], %[s], lsl #1]")
#define EDGEML_ONE EDGEML_TAP("[%[x]]") "add %[x], %[x], %[s]"
#endif

/* `rows` rows of `count` places: values from x on, weights from w on, sums in `sums`. */
EDGEML_INLINE void depthwise_four(const int8_t *source, const int8_t *weights, int32_t rows, int32_t count,
                                  int32_t step, int32_t line, int32_t width, int32_t offset, int32_t *sums)
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
#if EDGEML_DSP
    const int8_t *x = source, *w = weights;
    int32_t kx;
    uint32_t x0, x1, w0, w1;
    if (count == 3) {
        for (; rows > 0; rows--, x += line, w += 4 * (width - 3))
            EDGEML_TAPS(EDGEML_THREE);
    } else if (count == 5) {
        for (; rows > 0; rows--, x += line - 2 * step, w += 4 * (width - 5))
            EDGEML_TAPS(EDGEML_FIVE);
    } else {
        for (; rows > 0; rows--, x += line - count * step, w += 4 * (width - count))
            for (kx = count; kx > 0; kx--)
                EDGEML_TAPS(EDGEML_ONE);
    }
#else
    int32_t kx;
    for (; rows > 0; rows--, source += line, weights += 4 * width)
        for (kx = 0; kx < count; kx++) {
            const int8_t *x = source + kx * step, *w = weights + 4 * kx;
            a += (x[0] + offset) * w[0];
            b += (x[1] + offset) * w[1];
            c += (x[2] + offset) * w[2];
            d += (x[3] + offset) * w[3];
        }
#endif
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* First place of a window inside 0..size - 1 and the one after the last, from `start` in steps. */
EDGEML_INLINE void depthwise_range(int32_t start, int32_t step, int32_t kernel, int32_t size, int32_t *first, int32_t *end)
{
    int32_t from = 0, to = kernel;
    while (from < to && start + from * step < 0)
        from++;
    while (to > from && start + (to - 1) * step >= size)
        to--;
    *first = from, *end = to;
}

/* One row of the output from `rows` rows of the input, the first of which meets row `ky` of the window. */
EDGEML_INLINE void depthwise_row(const struct depthwise *p, const int8_t *input, int32_t ky, int32_t rows, int8_t *output,
                                 int any)
{
    const int32_t offset = EDGEML_OFFSET(p->in_zero);
    const int32_t channels = p->in_channels, width = p->kernel_width, size = 4 * p->kernel_height * width;
    const int32_t step = channels * p->dilation_width, line = channels * p->in_width * p->dilation_height;
    const int32_t twice = 2 * p->out_zero + 1, low = p->low, high = p->high;
    int32_t ox, left = -p->pad_left, first, end;
    for (ox = p->out_width; ox > 0; ox--, left += p->stride_width) {
        const int8_t *weights = p->weights, *source = input;
        const struct channel *q = p->channels;
        int32_t k, count;
        depthwise_range(left, p->dilation_width, width, p->in_width, &first, &end);
        count = rows > 0 ? end - first : 0;
        if (count > 0) {
            weights += 4 * (ky * width + first);
            source += (left + first * p->dilation_width) * channels;
        }
        for (k = channels; k > 0; weights += size, q += 4) {
            int32_t sums[4], next;
            sums[0] = q[0].bias, sums[1] = q[1].bias, sums[2] = q[2].bias, sums[3] = q[3].bias;
            depthwise_four(source, weights, count > 0 ? rows : 0, count, step, line, width, offset, sums);
            output[0] = requantised(sums[0], q, twice, low, high, any);
            output[1] = requantised(sums[1], q + 1, twice, low, high, any);
            output[2] = requantised(sums[2], q + 2, twice, low, high, any);
            output[3] = requantised(sums[3], q + 3, twice, low, high, any);
            next = k < 8 && k > 4 ? k - 4 : 4; /* the last group overlaps the one before */
            k -= next, output += next, source += next;
        }
    }
}

EDGEML_INLINE void depthwise_body(const struct depthwise *p, const int8_t *input, int8_t *output, int any)
{
    int32_t oy, first, end;
    for (oy = 0; oy < p->out_height; oy++, output += p->out_width * p->in_channels) {
        const int32_t top = oy * p->stride_height - p->pad_top;
        const int8_t *source = input;
        depthwise_range(top, p->dilation_height, p->kernel_height, p->in_height, &first, &end);
        if (end > first)
            source += (top + first * p->dilation_height) * p->in_width * p->in_channels;
        depthwise_row(p, source, first, end - first, output, any);
    }
}
