/* A function of one byte: output = table[byte]. */
static void lookup(const int8_t *table, const int8_t *input, int8_t *output, int32_t count)
{
    int32_t i;
    for (i = 0; i < count; i++)
        output[i] = table[(uint8_t)input[i]];
}
