/* QUANTIZE between uint8 and int8 of one scale: the top bit changes. */
static void flip(const int8_t *input, int8_t *output, int32_t count)
{
    int32_t i;
    for (i = 0; i + 4 <= count; i += 4) {
        uint32_t four;
        memcpy(&four, input + i, 4);
        four ^= 0x80808080u;
        memcpy(output + i, &four, 4);
    }
    for (; i < count; i++)
        output[i] = (int8_t)((uint8_t)input[i] ^ 0x80u);
}
