"""Step 55: compute the output size of a convolution."""

from dezero.utils import get_conv_outsize


def main():
    H, W = 4, 4
    KH, KW = 3, 3
    SH, SW = 1, 1
    PH, PW = 1, 1
    assert get_conv_outsize(H, KH, SH, PH) == 4
    assert get_conv_outsize(W, KW, SW, PW) == 4
