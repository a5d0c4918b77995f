/* DEPTHWISE_CONV_2D, with any shift and any limits. */
static void depthwise_limits(const struct depthwise *p, const int8_t *input, int8_t *output)
{
    depthwise_body(p, input, output, 1);
}
