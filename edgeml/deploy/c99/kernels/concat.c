/* CONCATENATION: rows of one input to their places in the rows of the output. */
static void concat(const int8_t *input, int8_t *output, int32_t rows, int32_t bytes, int32_t stride)
{
    int32_t row;
    for (row = 0; row < rows; row++, input += bytes, output += stride)
        memcpy(output, input, (size_t)bytes);
}
