/* A pool: the part of a window that is inside its input, for each output pixel. */
struct pool {
    int16_t in_height, in_width, channels;
    int16_t out_height, out_width;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t pad_top, pad_left;
    int16_t low, high;
};

struct window {
    int32_t start, rows, columns; /* index of its first value, and its size */
};

EDGEML_INLINE struct window pool_window(const struct pool *p, int32_t oy, int32_t ox)
{
    const int32_t top = oy * p->stride_height - p->pad_top, left = ox * p->stride_width - p->pad_left;
    const int32_t y = top < 0 ? 0 : top, x = left < 0 ? 0 : left;
    const int32_t y_end = top + p->kernel_height > p->in_height ? p->in_height : top + p->kernel_height;
    const int32_t x_end = left + p->kernel_width > p->in_width ? p->in_width : left + p->kernel_width;
    struct window inside;
    inside.start = (y * p->in_width + x) * p->channels;
    inside.rows = y_end - y;
    inside.columns = x_end - x;
    return inside;
}
