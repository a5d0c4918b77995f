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
#define EDGEML_TAP(place, four_weights)                                                             \
    do {                                                                                            \
        uint32_t x_, w_, even_, odd_, weven_, wodd_;                                                \
        memcpy(&x_, (place), 4);                                                                    \
        memcpy(&w_, (four_weights), 4);                                                             \
        __asm__("sxtab16 %0, %1, %2" : "=r"(even_) : "r"(zero), "r"(x_));                           \
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd_) : "r"(zero), "r"(x_));                    \
        __asm__("sxtb16 %0, %1" : "=r"(weven_) : "r"(w_));                                          \
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(wodd_) : "r"(w_));                                   \
        __asm__("smlabb %0, %1, %2, %0" : "+r"(a) : "r"(even_), "r"(weven_));                       \
        __asm__("smlabb %0, %1, %2, %0" : "+r"(b) : "r"(odd_), "r"(wodd_));                         \
        __asm__("smlatt %0, %1, %2, %0" : "+r"(c) : "r"(even_), "r"(weven_));                       \
        __asm__("smlatt %0, %1, %2, %0" : "+r"(d) : "r"(odd_), "r"(wodd_));                         \
    } while (0)
#else
#define EDGEML_TAP(place, four_weights)                   \
    do {                                                  \
        const int8_t *x_ = (place), *w_ = (four_weights); \
        a += (x_[0] - zero) * w_[0];                      \
        b += (x_[1] - zero) * w_[1];                      \
        c += (x_[2] - zero) * w_[2];                      \
        d += (x_[3] - zero) * w_[3];                      \
    } while (0)
#endif

static void depthwise(const struct depthwise *p, const int8_t *input, int8_t *output)
{
#if EDGEML_DSP
    const uint32_t zero = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
#else
    const int32_t zero = p->in_zero;
#endif
    const int32_t channels = p->in_channels, size = 4 * p->kernel_height * p->kernel_width;
    const int32_t step = channels * p->dilation_width, line = channels * p->in_width * p->dilation_height;
    int32_t oy, ox, ky, kx, k;
    for (oy = 0; oy < p->out_height; oy++) {
        const int32_t top = oy * p->stride_height - p->pad_top;
        int32_t ky_first = 0, ky_end = p->kernel_height;
        while (ky_first < ky_end && top + ky_first * p->dilation_height < 0)
            ky_first++;
        while (ky_end > ky_first && top + (ky_end - 1) * p->dilation_height >= p->in_height)
            ky_end--;
        for (ox = 0; ox < p->out_width; ox++, output += channels) {
            const int32_t left = ox * p->stride_width - p->pad_left;
            const int8_t *weights = p->weights;
            const struct channel *q = p->channels;
            int32_t kx_first = 0, kx_end = p->kernel_width;
            while (kx_first < kx_end && left + kx_first * p->dilation_width < 0)
                kx_first++;
            while (kx_end > kx_first && left + (kx_end - 1) * p->dilation_width >= p->in_width)
                kx_end--;
            for (k = 0;; k += 4, weights += size, q += 4) {
                int32_t a = q[0].bias, b = q[1].bias, c = q[2].bias, d = q[3].bias;
                const int8_t *source;
                if (k + 4 > channels)
                    k = channels - 4;
                source = input + (top * p->in_width + left) * channels + k + ky_first * line;
                for (ky = ky_first; ky < ky_end; ky++, source += line) {
                    const int8_t *w = weights + 4 * (ky * p->kernel_width + kx_first);
                    const int8_t *x = source + kx_first * step;
                    for (kx = kx_first; kx < kx_end; kx++, x += step, w += 4)
                        EDGEML_TAP(x, w);
                }
                output[k] = (int8_t)clamp(scaled(a, q[0].multiplier, q[0].shift) + p->out_zero, p->low, p->high);
                output[k + 1] = (int8_t)clamp(scaled(b, q[1].multiplier, q[1].shift) + p->out_zero, p->low, p->high);
                output[k + 2] = (int8_t)clamp(scaled(c, q[2].multiplier, q[2].shift) + p->out_zero, p->low, p->high);
                output[k + 3] = (int8_t)clamp(scaled(d, q[3].multiplier, q[3].shift) + p->out_zero, p->low, p->high);
                if (k + 4 >= channels)
                    break;
            }
        }
    }
}
