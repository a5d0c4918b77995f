/* MAX_POOL_2D. */
static void max_pool(const struct pool *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels, line = p->in_width * channels;
    int32_t oy, ox, k, y, x;
    for (oy = 0; oy < p->out_height; oy++)
        for (ox = 0; ox < p->out_width; ox++) {
            const struct window inside = pool_window(p, oy, ox);
            k = 0;
#if EDGEML_DSP
            for (; k + 4 <= channels; k += 4) {
                const int8_t *row = input + inside.start + k;
                uint32_t most = 0x80808080u, four, difference;
                for (y = inside.rows; y > 0; y--, row += line) {
                    const int8_t *value = row;
                    for (x = inside.columns; x > 0; x--, value += channels) {
                        memcpy(&four, value, 4);
                        __asm__("ssub8 %0, %2, %1\n\tsel %1, %2, %1"
                                : "=&r"(difference), "+r"(most)
                                : "r"(four)
                                : "cc");
                    }
                }
                memcpy(output + k, &most, 4);
            }
#endif
            for (; k < channels; k++) {
                const int8_t *row = input + inside.start + k;
                int8_t most = -128;
                for (y = inside.rows; y > 0; y--, row += line)
                    for (x = 0; x < inside.columns; x++)
                        most = row[x * channels] > most ? row[x * channels] : most;
                output[k] = most;
            }
            if (p->low > -128 || p->high < 127)
                for (k = 0; k < channels; k++)
                    output[k] = (int8_t)clamp(output[k], p->low, p->high);
            output += channels;
        }
}
