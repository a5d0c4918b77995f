/* CONV_2D with a 1x1 window and stride 1: pixels follow each other in memory. */
EDGEML_INLINE void widen_two(const int8_t *first, const int8_t *second, int32_t count, int32_t offset, int16_t *columns)
{
#if EDGEML_DSP
    for (; count > 0; count -= 4, first += 4, second += 4, columns += 8) {
        uint32_t four, other, values[4];
        memcpy(&four, first, 4);
        memcpy(&other, second, 4);
        __asm__("sxtab16 %0, %1, %2" : "=r"(values[0]) : "r"(offset), "r"(four));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(values[1]) : "r"(offset), "r"(four));
        __asm__("sxtab16 %0, %1, %2" : "=r"(values[2]) : "r"(offset), "r"(other));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(values[3]) : "r"(offset), "r"(other));
        memcpy(columns, values, 16);
    }
#else
    widen(first, count, offset, columns);
    widen(second, count, offset, columns + 4);
#endif
}

EDGEML_INLINE void conv_point_body(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns, int any)
{
    const int32_t channels = p->in_channels, step = p->out_channels;
    int32_t pixels = p->out_height * p->out_width;
    for (; pixels > 0; pixels -= 2, input += 2 * channels, output += 2 * step) {
        widen_two(input, pixels > 1 ? input + channels : input, channels, EDGEML_OFFSET(p->in_zero), columns);
        conv_pixels(p, columns, output, pixels > 1 ? step : 0, any);
    }
}

static void conv_point(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns)
{
    conv_point_body(p, input, output, columns, 0);
}
