/* CONV_2D, the usual case. */
static void conv(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns)
{
    conv_body(p, input, output, columns, 0, 0);
}
