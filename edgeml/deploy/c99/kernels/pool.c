/* AVERAGE_POOL_2D and MAX_POOL_2D; the average divides by the values inside, halves away from zero. */
struct pool {
    int16_t in_height, in_width, channels;
    int16_t out_height, out_width;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t pad_top, pad_left;
    int16_t average, low, high;
};

static void pool(const struct pool *p, const int8_t *input, int8_t *output)
{
    int32_t oy, ox, k, y, x;
    for (oy = 0; oy < p->out_height; oy++)
        for (ox = 0; ox < p->out_width; ox++) {
            const int32_t top = oy * p->stride_height - p->pad_top, left = ox * p->stride_width - p->pad_left;
            const int32_t y_first = top < 0 ? 0 : top, x_first = left < 0 ? 0 : left;
            const int32_t y_end = top + p->kernel_height > p->in_height ? p->in_height : top + p->kernel_height;
            const int32_t x_end = left + p->kernel_width > p->in_width ? p->in_width : left + p->kernel_width;
            const int32_t count = (y_end - y_first) * (x_end - x_first);
            for (k = 0; k < p->channels; k++) {
                int32_t value = p->average ? 0 : -128;
                for (y = y_first; y < y_end; y++) {
                    const int8_t *source = input + (y * p->in_width + x_first) * p->channels + k;
                    for (x = x_first; x < x_end; x++, source += p->channels)
                        value = p->average ? value + *source : *source > value ? *source : value;
                }
                if (p->average)
                    value = (value > 0 ? value + count / 2 : value - count / 2) / count;
                *output++ = (int8_t)clamp(value, p->low, p->high);
            }
        }
}
