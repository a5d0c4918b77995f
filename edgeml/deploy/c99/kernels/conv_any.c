/* CONV_2D, with any shift and any limits. */
static void conv_any(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns)
{
    conv_body(p, input, output, columns, 1, 0);
}
