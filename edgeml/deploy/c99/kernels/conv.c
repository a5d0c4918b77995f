/* CONV_2D: two output pixels at a time. Their windows are widened to int16 without the input's zero point
 * (padding is then 0) into `columns`, four values of the first pixel, four of the second, and so on; every pair
 * of output channels runs over them with four sums in registers. */
#if EDGEML_DSP
/* Group of four values a0..a3 -> a0 a2 a1 a3: the order that sxtb16 gives, for inputs and weights alike. */
EDGEML_INLINE void widen(const int8_t *source, int32_t count, uint32_t offset, int16_t *columns)
{
    for (; count > 0; count -= 4) {
        uint32_t four, even, odd;
        memcpy(&four, source, 4);
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(offset), "r"(four));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(offset), "r"(four));
        memcpy(columns, &even, 4);
        memcpy(columns + 2, &odd, 4);
        source += 4;
        columns += 8;
    }
}

EDGEML_INLINE void multiply_2x2(const int8_t *weights, const int16_t *columns, int32_t depth, int32_t *sums)
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3], groups = depth >> 2;
    __asm__ volatile(
        "1:\n\t"
        "ldr r5, [%[w]], #4\n\t"
        "ldmia %[x]!, {r0-r3}\n\t"
        "sxtb16 r4, r5\n\t"
        "sxtb16 r5, r5, ror #8\n\t"
        "smlad %[a], r4, r0, %[a]\n\t"
        "smlad %[b], r4, r2, %[b]\n\t"
        "smlad %[a], r5, r1, %[a]\n\t"
        "smlad %[b], r5, r3, %[b]\n\t"
        "ldr r5, [%[w]], #4\n\t"
        "sxtb16 r4, r5\n\t"
        "sxtb16 r5, r5, ror #8\n\t"
        "smlad %[c], r4, r0, %[c]\n\t"
        "smlad %[d], r4, r2, %[d]\n\t"
        "smlad %[c], r5, r1, %[c]\n\t"
        "smlad %[d], r5, r3, %[d]\n\t"
        "subs %[n], %[n], #1\n\t"
        "bne 1b"
        : [w] "+r"(weights), [x] "+r"(columns), [n] "+r"(groups), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),
          [d] "+r"(d)
        :
        : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory");
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}
#else
EDGEML_INLINE void widen(const int8_t *source, int32_t count, int32_t zero, int16_t *columns)
{
    int32_t i;
    for (; count > 0; count -= 4, source += 4, columns += 8)
        for (i = 0; i < 4; i++)
            columns[i] = (int16_t)(source[i] - zero);
}

EDGEML_INLINE void multiply_2x2(const int8_t *weights, const int16_t *columns, int32_t depth, int32_t *sums)
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3], i;
    for (; depth > 0; depth -= 4, weights += 8, columns += 8)
        for (i = 0; i < 4; i++) {
            a += weights[i] * columns[i];
            b += weights[i] * columns[4 + i];
            c += weights[4 + i] * columns[i];
            d += weights[4 + i] * columns[4 + i];
        }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}
#endif

/* The window of one output pixel into every second group of four of `columns`. Where channels are no multiple
 * of four, its bytes are first gathered in `bytes`. */
static void conv_window(const struct conv *p, const int8_t *input, int32_t pixel, int16_t *columns, int8_t *bytes)
{
    const int32_t row = p->kernel_width * p->in_channels;
    const int32_t top = pixel / p->out_width * p->stride_height - p->pad_top;
    const int32_t left = pixel % p->out_width * p->stride_width - p->pad_left;
    const int32_t gather = p->in_channels & 3;
#if EDGEML_DSP
    const uint32_t zero = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
#else
    const int32_t zero = p->in_zero;
#endif
    int32_t ky, kx, i;
    int32_t first = left < 0 ? -left : 0;
    int32_t end = left + p->kernel_width > p->in_width ? p->in_width - left : p->kernel_width;
    int8_t *place = bytes;
    for (ky = 0; ky < p->kernel_height; ky++) {
        const int32_t y = top + ky * p->dilation_height;
        const int8_t *source = input + (y * p->in_width + left) * p->in_channels;
        const int inside = y >= 0 && y < p->in_height;
        if (p->dilation_width > 1) {
            for (kx = 0; kx < p->kernel_width; kx++) {
                const int32_t x = left + kx * p->dilation_width;
                if (inside && x >= 0 && x < p->in_width)
                    memcpy(place, input + (y * p->in_width + x) * p->in_channels, (size_t)p->in_channels);
                else
                    memset(place, p->in_zero, (size_t)p->in_channels);
                place += p->in_channels;
            }
        } else if (gather) {
            if (!inside || end <= first) {
                memset(place, p->in_zero, (size_t)row);
            } else {
                memset(place, p->in_zero, (size_t)(first * p->in_channels));
                memcpy(place + first * p->in_channels, source + first * p->in_channels,
                       (size_t)((end - first) * p->in_channels));
                memset(place + end * p->in_channels, p->in_zero, (size_t)((p->kernel_width - end) * p->in_channels));
            }
            place += row;
        } else if (inside && first == 0 && end == p->kernel_width) {
            widen(source, row, zero, columns);
            columns += 2 * row;
        } else {
            for (i = 0; i < row; i += 4)
                memset(columns + 2 * i, 0, 8);
            if (inside && end > first)
                widen(source + first * p->in_channels, (end - first) * p->in_channels, zero,
                      columns + 2 * first * p->in_channels);
            columns += 2 * row;
        }
    }
    if (place != bytes) {
        memset(place, 0, (size_t)(bytes + p->depth - place));
        widen(bytes, p->depth, zero, columns);
    }
}

static void conv(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns)
{
    const int32_t pixels = p->out_height * p->out_width;
    int8_t *bytes = (int8_t *)(columns + 2 * p->depth);
    int32_t pixel, k;
    for (pixel = 0; pixel < pixels; pixel += 2) {
        const int8_t *weights = p->weights;
        const struct channel *channel = p->channels;
        const int second = pixel + 1 < pixels;
        conv_window(p, input, pixel, columns, bytes);
        conv_window(p, input, second ? pixel + 1 : pixel, columns + 4, bytes);
        for (k = 0; k < p->out_channels; k += 2, weights += 2 * p->depth, channel += 2) {
            int32_t sums[4];
            sums[0] = sums[1] = channel[0].bias;
            sums[2] = sums[3] = channel[1].bias;
            multiply_2x2(weights, columns, p->depth, sums);
            {
                int8_t *out = output + k;
                const int32_t last = k + 1 < p->out_channels;
                const struct channel *q = channel;
                out[0] = (int8_t)clamp(scaled(sums[0], q->multiplier, q->shift) + p->out_zero, p->low, p->high);
                if (second)
                    out[p->out_channels] =
                        (int8_t)clamp(scaled(sums[1], q->multiplier, q->shift) + p->out_zero, p->low, p->high);
                q++;
                if (last) {
                    out[1] = (int8_t)clamp(scaled(sums[2], q->multiplier, q->shift) + p->out_zero, p->low, p->high);
                    if (second)
                        out[p->out_channels + 1] =
                            (int8_t)clamp(scaled(sums[3], q->multiplier, q->shift) + p->out_zero, p->low, p->high);
                }
            }
        }
        output += 2 * p->out_channels;
    }
}
