/* DEPTHWISE_CONV_2D of any shape: several output channels per input channel, or fewer than four channels. */
struct depthwise_any {
    int16_t in_height, in_width, in_channels;
    int16_t out_height, out_width, multiplier;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t dilation_height, dilation_width;
    int16_t pad_top, pad_left;
    int16_t in_zero, out_zero, low, high;
    const int8_t *weights;
    const struct channel *channels;
};

static void depthwise_any(const struct depthwise_any *p, const int8_t *input, int8_t *output)
{
    const int32_t out_channels = p->in_channels * p->multiplier;
    int32_t oy, ox, ky, kx, k;
    for (oy = 0; oy < p->out_height; oy++)
        for (ox = 0; ox < p->out_width; ox++)
            for (k = 0; k < out_channels; k++) {
                const struct channel *q = p->channels + k;
                int32_t sum = q->bias;
                for (ky = 0; ky < p->kernel_height; ky++) {
                    const int32_t y = oy * p->stride_height - p->pad_top + ky * p->dilation_height;
                    if (y < 0 || y >= p->in_height)
                        continue;
                    for (kx = 0; kx < p->kernel_width; kx++) {
                        const int32_t x = ox * p->stride_width - p->pad_left + kx * p->dilation_width;
                        if (x < 0 || x >= p->in_width)
                            continue;
                        sum += (input[(y * p->in_width + x) * p->in_channels + k / p->multiplier] - p->in_zero) *
                               p->weights[(ky * p->kernel_width + kx) * out_channels + k];
                    }
                }
                *output++ = (int8_t)clamp(scaled(sum, q->multiplier, q->shift) + p->out_zero, p->low, p->high);
            }
}
