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
#define EDGEML_TAP(place, four_weights)                                           \
    do {                                                                          \
        uint32_t x_, w_, even_, odd_, weven_, wodd_;                              \
        memcpy(&x_, (place), 4);                                                  \
        memcpy(&w_, (four_weights), 4);                                           \
        __asm__("sxtab16 %0, %1, %2" : "=r"(even_) : "r"(offset), "r"(x_));       \
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd_) : "r"(offset), "r"(x_)); \
        __asm__("sxtb16 %0, %1" : "=r"(weven_) : "r"(w_));                        \
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(wodd_) : "r"(w_));                 \
        __asm__("smlabb %0, %1, %2, %0" : "+r"(a) : "r"(even_), "r"(weven_));     \
        __asm__("smlabb %0, %1, %2, %0" : "+r"(b) : "r"(odd_), "r"(wodd_));       \
        __asm__("smlatt %0, %1, %2, %0" : "+r"(c) : "r"(even_), "r"(weven_));     \
        __asm__("smlatt %0, %1, %2, %0" : "+r"(d) : "r"(odd_), "r"(wodd_));       \
    } while (0)
#else
#define EDGEML_TAP(place, four_weights)                   \
    do {                                                  \
        const int8_t *x_ = (place), *w_ = (four_weights); \
        a += (x_[0] + offset) * w_[0];                    \
        b += (x_[1] + offset) * w_[1];                    \
        c += (x_[2] + offset) * w_[2];                    \
        d += (x_[3] + offset) * w_[3];                    \
    } while (0)
#endif

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

EDGEML_INLINE void depthwise_body(const struct depthwise *p, const int8_t *input, int8_t *output, int any)
{
#if EDGEML_DSP
    const uint32_t offset = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
#else
    const int32_t offset = -p->in_zero;
#endif
    const int32_t channels = p->in_channels, size = 4 * p->kernel_height * p->kernel_width;
    const int32_t step = channels * p->dilation_width, line = channels * p->in_width * p->dilation_height;
    const int32_t twice = 2 * p->out_zero + 1, low = p->low, high = p->high;
    int32_t oy, ox, ky_first, ky_end, kx_first, kx_end;
    for (oy = 0; oy < p->out_height; oy++) {
        const int32_t top = oy * p->stride_height - p->pad_top;
        depthwise_range(top, p->dilation_height, p->kernel_height, p->in_height, &ky_first, &ky_end);
        for (ox = 0; ox < p->out_width; ox++) {
            const int32_t left = ox * p->stride_width - p->pad_left;
            const int32_t y = top + ky_first * p->dilation_height;
            const int8_t *weights = p->weights + 4 * ky_first * p->kernel_width, *source;
            const struct channel *q = p->channels;
            int32_t k, rows, count, row_skip;
            depthwise_range(left, p->dilation_width, p->kernel_width, p->in_width, &kx_first, &kx_end);
            weights += 4 * kx_first;
            source = input + (y * p->in_width + left + kx_first * p->dilation_width) * channels;
            rows = ky_end - ky_first;
            count = kx_end - kx_first;
            row_skip = 4 * p->kernel_width;
            if (count == 0)
                rows = 0, source = input;
            for (k = channels; k > 0; weights += size, q += 4) {
                int32_t a = q[0].bias, b = q[1].bias, c = q[2].bias, d = q[3].bias, ky, kx;
                const int8_t *line_source = source, *line_weights = weights;
                for (ky = rows; ky > 0; ky--, line_source += line, line_weights += row_skip) {
                    const int8_t *x = line_source, *w = line_weights;
                    if (count == 3) {
                        EDGEML_TAP(x, w);
                        EDGEML_TAP(x + step, w + 4);
                        EDGEML_TAP(x + 2 * step, w + 8);
                    } else {
                        for (kx = count; kx > 0; kx--, x += step, w += 4)
                            EDGEML_TAP(x, w);
                    }
                }
                output[0] = requantised(a, q, twice, low, high, any);
                output[1] = requantised(b, q + 1, twice, low, high, any);
                output[2] = requantised(c, q + 2, twice, low, high, any);
                output[3] = requantised(d, q + 3, twice, low, high, any);
                k -= 4;
                if (k >= 4 || k <= 0)
                    output += 4, source += 4;
                else
                    output += k, source += k, k = 4;
            }
        }
    }
}
