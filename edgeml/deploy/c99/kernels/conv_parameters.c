/* A CONV_2D: shapes, quantisation and tables. Weights of two output channels are interleaved in groups of four
 * values of the window and padded with zeros to a multiple of four. */
struct conv {
    int16_t in_height, in_width, in_channels;
    int16_t out_height, out_width, out_channels;
    int16_t kernel_height, kernel_width;
    int16_t stride_height, stride_width;
    int16_t dilation_height, dilation_width;
    int16_t pad_top, pad_left;
    int16_t depth; /* values of a window, a multiple of four */
    int16_t in_zero, out_zero, low, high;
    const int8_t *weights;
    const struct channel *channels;
};
