/* CONV_2D, with dilation along rows. */
static void conv_dilated(const struct conv *p, const int8_t *input, int8_t *output, int16_t *columns)
{
    conv_body(p, input, output, columns, 1, 1);
}
