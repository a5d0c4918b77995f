/* DEPTHWISE_CONV_2D, the usual case. */
static void depthwise(const struct depthwise *p, const int8_t *input, int8_t *output)
{
    depthwise_body(p, input, output, 0);
}
