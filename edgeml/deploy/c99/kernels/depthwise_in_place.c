/* DEPTHWISE_CONV_2D of stride 1 that writes over its input: `rows` keeps the input's rows that a row of the output
 * reads, moved up by one row after the other. */
EDGEML_INLINE void copy_down(int8_t *target, const int8_t *source, int32_t count)
{
    uint32_t four;
    for (; count >= 4; count -= 4, target += 4, source += 4) {
        memcpy(&four, source, 4);
        memcpy(target, &four, 4);
    }
    for (; count > 0; count--)
        *target++ = *source++;
}

static void depthwise_in_place(const struct depthwise *p, int8_t *data, int8_t *rows)
{
    const int32_t line = p->in_channels * p->in_width, height = p->in_height;
    const int32_t after = p->kernel_height - 1 - p->pad_top; /* rows below that a row of the output reads */
    int32_t y, first, end;
    for (y = 0; y < after && y < height; y++)
        copy_down(rows + (p->pad_top + 1 + y) * line, data + y * line, line);
    for (y = 0; y < height; y++) {
        copy_down(rows, rows + line, (p->kernel_height - 1) * line);
        if (y + after < height)
            copy_down(rows + (p->kernel_height - 1) * line, data + (y + after) * line, line);
        depthwise_range(y - p->pad_top, 1, p->kernel_height, height, &first, &end);
        depthwise_row(p, rows + first * line, first, end - first, data + y * line, 0);
    }
}
