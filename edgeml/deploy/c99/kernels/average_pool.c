/* AVERAGE_POOL_2D: divided by the values inside, halves away from zero. */
EDGEML_INLINE int8_t average(int32_t sum, int32_t count, const struct pool *p)
{
    return (int8_t)clamp((sum > 0 ? sum + count / 2 : sum - count / 2) / count, p->low, p->high);
}

static void average_pool(const struct pool *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels, line = p->in_width * channels;
    int32_t oy, ox, k, y, x;
    for (oy = 0; oy < p->out_height; oy++)
        for (ox = 0; ox < p->out_width; ox++, output += channels) {
            const struct window inside = pool_window(p, oy, ox);
            const int32_t count = inside.rows * inside.columns;
            k = 0;
#if EDGEML_DSP
            for (; k + 4 <= channels && count <= 256; k += 4) { /* 256 values fit in sums of 16 bits */
                const int8_t *row = input + inside.start + k;
                uint32_t four, even = 0, odd = 0;
                for (y = inside.rows; y > 0; y--, row += line) {
                    const int8_t *value = row;
                    for (x = inside.columns; x > 0; x--, value += channels) {
                        memcpy(&four, value, 4);
                        __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(four));
                        __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(four));
                    }
                }
                output[k] = average((int16_t)even, count, p);
                output[k + 1] = average((int16_t)odd, count, p);
                output[k + 2] = average((int32_t)even >> 16, count, p);
                output[k + 3] = average((int32_t)odd >> 16, count, p);
            }
#endif
            for (; k < channels; k++) {
                const int8_t *row = input + inside.start + k;
                int32_t sum = 0;
                for (y = inside.rows; y > 0; y--, row += line)
                    for (x = 0; x < inside.columns; x++)
                        sum += row[x * channels];
                output[k] = average(sum, count, p);
            }
        }
}
