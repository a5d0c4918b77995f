/* CONV_2D: two output pixels at a time. Their windows are widened to int16 without the input's zero point
 * (padding is then 0) into `columns`, four values of the first pixel, four of the second, and so on; every pair
 * of output channels runs over them with four sums in registers. */
#if EDGEML_DSP
/* Group of four values a0..a3 -> a0 a2 a1 a3: the order that sxtb16 gives, for inputs and weights alike. */
EDGEML_INLINE void widen(const int8_t *source, int32_t count, int32_t offset, int16_t *columns)
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

#define EDGEML_GROUP                \
    "ldmia r1!, {r3-r6}\n\t"        \
    "ldmia r0!, {r7, r12}\n\t"      \
    "sxtb16 lr, r7\n\t"             \
    "smlad r8, lr, r3, r8\n\t"      \
    "smlad r9, lr, r5, r9\n\t"      \
    "sxtb16 lr, r7, ror #8\n\t"     \
    "smlad r8, lr, r4, r8\n\t"      \
    "smlad r9, lr, r6, r9\n\t"      \
    "sxtb16 lr, r12\n\t"            \
    "smlad r10, lr, r3, r10\n\t"    \
    "smlad r11, lr, r5, r11\n\t"    \
    "sxtb16 lr, r12, ror #8\n\t"    \
    "smlad r10, lr, r4, r10\n\t"    \
    "smlad r11, lr, r6, r11\n\t"

/* Two groups of four a turn; an odd number of groups starts with the second. It takes every register, so it is
 * a function of its own and saves those that compilers may reserve itself. */
static __attribute__((noinline)) void multiply_2x2(const int8_t *weights, const int16_t *columns, int32_t depth,
                                                   int32_t *sums)
{
    register const int8_t *w __asm__("r0") = weights;
    register const int16_t *x __asm__("r1") = columns;
    register int32_t groups __asm__("r2") = depth >> 2;
    register int32_t *four __asm__("r3") = sums;
    __asm__ volatile(
        "push {r3, r7, r9, r10, r11}\n\t"
        "ldmia r3, {r8-r11}\n\t"
        "lsrs r2, r2, #1\n\t"
        "bcs 2f\n\t"
        "1:\n\t" EDGEML_GROUP
        "subs r2, r2, #1\n\t"
        "2:\n\t" EDGEML_GROUP
        "bne 1b\n\t"
        "ldr r3, [sp]\n\t"
        "stmia r3, {r8-r11}\n\t"
        "pop {r3, r7, r9, r10, r11}"
        : "+r"(w), "+r"(x), "+r"(groups), "+r"(four)
        :
        : "r4", "r5", "r6", "r8", "r12", "lr", "cc", "memory");
}
#else
EDGEML_INLINE void widen(const int8_t *source, int32_t count, int32_t offset, int16_t *columns)
{
    int32_t i;
    for (; count > 0; count -= 4, source += 4, columns += 8)
        for (i = 0; i < 4; i++)
            columns[i] = (int16_t)(source[i] + offset);
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

EDGEML_INLINE void copy_bytes(int8_t *target, const int8_t *source, int32_t count)
{
    for (; count >= 4; count -= 4, target += 4, source += 4)
        memcpy(target, source, 4);
    for (; count > 0; count--)
        *target++ = *source++;
}

EDGEML_INLINE void fill_bytes(int8_t *target, int32_t value, int32_t count)
{
    for (; count > 0; count--)
        *target++ = (int8_t)value;
}

/* The window whose first value is at (top, left) into every second group of four of `columns`. Where channels
 * are no multiple of four (`gather`), its bytes are first put together in `bytes`. */
EDGEML_INLINE void conv_window(const struct conv *p, const int8_t *input, int32_t top, int32_t left, int16_t *columns,
                               int8_t *bytes)
{
    const int32_t channels = p->in_channels, row = p->kernel_width * channels;
    const int32_t first = left < 0 ? -left * channels : 0;
    const int32_t over = left + p->kernel_width - p->in_width;
    const int32_t end = over > 0 ? row - over * channels : row;
    const int32_t offset = EDGEML_OFFSET(p->in_zero);
    int8_t *place = bytes;
    int32_t ky, i;
    for (ky = 0; ky < p->kernel_height; ky++) {
        const int32_t y = top + ky * p->dilation_height;
        const int inside = y >= 0 && y < p->in_height && end > first;
        const int32_t start = inside ? (y * p->in_width + left) * channels + first : 0;
        if ((channels & 3) != 0) {
            if (inside) {
                fill_bytes(place, p->in_zero, first);
                copy_bytes(place + first, input + start, end - first);
                fill_bytes(place + end, p->in_zero, row - end);
            } else {
                fill_bytes(place, p->in_zero, row);
            }
            place += row;
        } else {
            if (!inside || end - first != row)
                for (i = 0; i < row; i += 4)
                    memset(columns + 2 * i, 0, 8);
            if (inside)
                widen(input + start, end - first, offset, columns + 2 * first);
            columns += 2 * row;
        }
    }
    if (place != bytes) {
        fill_bytes(place, 0, (int32_t)(bytes + p->depth - place));
        widen(bytes, p->depth, offset, columns);
    }
}

/* The same with dilation along rows: value by value. */
EDGEML_INLINE void conv_dilated_window(const struct conv *p, const int8_t *input, int32_t top, int32_t left,
                                       int16_t *columns, int8_t *bytes)
{
    int8_t *place = bytes;
    int32_t ky, kx;
    for (ky = 0; ky < p->kernel_height; ky++)
        for (kx = 0; kx < p->kernel_width; kx++, place += p->in_channels) {
            const int32_t y = top + ky * p->dilation_height, x = left + kx * p->dilation_width;
            if (y >= 0 && y < p->in_height && x >= 0 && x < p->in_width)
                copy_bytes(place, input + (y * p->in_width + x) * p->in_channels, p->in_channels);
            else
                fill_bytes(place, p->in_zero, p->in_channels);
        }
    fill_bytes(place, 0, (int32_t)(bytes + p->depth - place));
    widen(bytes, p->depth, EDGEML_OFFSET(p->in_zero), columns);
}

/* Both pixels' columns times all weights. `step` leads to the second pixel's outputs, 0 where there is none: its
 * values are then written first and the first pixel's over them, as with the last of an odd number of channels. */
EDGEML_INLINE void conv_pixels(const struct conv *p, const int16_t *columns, int8_t *output, int32_t step, int any)
{
    const int8_t *weights = p->weights;
    const struct channel *q = p->channels;
    const int32_t twice = 2 * p->out_zero + 1, low = p->low, high = p->high;
    int32_t left;
    for (left = p->out_channels; left > 0; left -= 2, weights += 2 * p->depth, q += 2, output += 2) {
        const int32_t next = left > 1;
        int32_t sums[4];
        sums[0] = sums[1] = q[0].bias;
        sums[2] = sums[3] = q[1].bias;
        multiply_2x2(weights, columns, p->depth, sums);
        output[step + next] = requantised(sums[3], q + 1, twice, low, high, any);
        output[next] = requantised(sums[2], q + 1, twice, low, high, any);
        output[step] = requantised(sums[1], q, twice, low, high, any);
        output[0] = requantised(sums[0], q, twice, low, high, any);
    }
}

EDGEML_INLINE void conv_body(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns, int any,
                             int dilated)
{
    int8_t *bytes = (int8_t *)(columns + 2 * p->depth);
    const int32_t pixels = p->out_height * p->out_width;
    int32_t pixel, ox = 0, top = -p->pad_top, left = -p->pad_left;
    for (pixel = 0; pixel < pixels; pixel++) {
        if (dilated)
            conv_dilated_window(p, input, top, left, columns + (pixel & 1) * 4, bytes);
        else
            conv_window(p, input, top, left, columns + (pixel & 1) * 4, bytes);
        left += p->stride_width;
        if (++ox == p->out_width)
            ox = 0, left = -p->pad_left, top += p->stride_height;
        if (pixel & 1) {
            conv_pixels(p, columns, output, p->out_channels, any);
            output += 2 * p->out_channels;
        } else if (pixel + 1 == pixels) {
            for (ox = 0; ox < p->depth; ox += 4)
                memset(columns + 2 * ox + 4, 0, 8);
            conv_pixels(p, columns, output, 0, any);
        }
    }
}
