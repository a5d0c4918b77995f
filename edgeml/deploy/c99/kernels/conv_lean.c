/* CONV_2D without scratch memory, for the places where the arena is fullest: one output pixel at a time, straight
 * from its input. Channels are a multiple of four, windows are not dilated along rows. */
EDGEML_INLINE void multiply_2x1(const int8_t *weights, const int8_t *source, int32_t count, int32_t in_zero,
                                int32_t *sums)
{
    int32_t a = sums[0], b = sums[1];
#if EDGEML_DSP
    const uint32_t zero = ((uint32_t)-in_zero & 0xffffu) * 0x10001u;
    for (; count > 0; count -= 4, source += 4, weights += 8) {
        uint32_t four, even, odd, weven, wodd;
        memcpy(&four, source, 4);
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(zero), "r"(four));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(zero), "r"(four));
        memcpy(&four, weights, 4);
        __asm__("sxtb16 %0, %1" : "=r"(weven) : "r"(four));
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(wodd) : "r"(four));
        __asm__("smlad %0, %1, %2, %0" : "+r"(a) : "r"(even), "r"(weven));
        __asm__("smlad %0, %1, %2, %0" : "+r"(a) : "r"(odd), "r"(wodd));
        memcpy(&four, weights + 4, 4);
        __asm__("sxtb16 %0, %1" : "=r"(weven) : "r"(four));
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(wodd) : "r"(four));
        __asm__("smlad %0, %1, %2, %0" : "+r"(b) : "r"(even), "r"(weven));
        __asm__("smlad %0, %1, %2, %0" : "+r"(b) : "r"(odd), "r"(wodd));
    }
#else
    int32_t i;
    for (; count > 0; count -= 4, source += 4, weights += 8)
        for (i = 0; i < 4; i++) {
            a += weights[i] * (source[i] - in_zero);
            b += weights[4 + i] * (source[i] - in_zero);
        }
#endif
    sums[0] = a, sums[1] = b;
}

static void conv_lean(const struct conv *p, const int8_t *input, int8_t *output)
{
    int32_t oy, ox, ky, k;
    for (oy = 0; oy < p->out_height; oy++)
        for (ox = 0; ox < p->out_width; ox++, output += p->out_channels) {
            const int32_t top = oy * p->stride_height - p->pad_top, left = ox * p->stride_width - p->pad_left;
            const int32_t first = left < 0 ? -left : 0;
            const int32_t end = left + p->kernel_width > p->in_width ? p->in_width - left : p->kernel_width;
            const int8_t *weights = p->weights;
            for (k = 0; k < p->out_channels; k += 2, weights += 2 * p->depth) {
                const struct channel *q = p->channels + k;
                int32_t sums[2];
                sums[0] = q[0].bias, sums[1] = q[1].bias;
                for (ky = 0; ky < p->kernel_height; ky++) {
                    const int32_t y = top + ky * p->dilation_height;
                    if (y >= 0 && y < p->in_height && end > first)
                        multiply_2x1(weights + 2 * (ky * p->kernel_width + first) * p->in_channels,
                                     input + (y * p->in_width + left + first) * p->in_channels,
                                     (end - first) * p->in_channels, p->in_zero, sums);
                }
                output[k] = (int8_t)clamp(scaled(sums[0], q[0].multiplier, q[0].shift) + p->out_zero, p->low, p->high);
                if (k + 1 < p->out_channels)
                    output[k + 1] =
                        (int8_t)clamp(scaled(sums[1], q[1].multiplier, q[1].shift) + p->out_zero, p->low, p->high);
            }
        }
}
