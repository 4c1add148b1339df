"""Test step 55, the size of the output of a convolution."""

import dezero.utils


def test_get_conv_outsize(capsys) -> None:
    H, W = 4, 4
    KH, KW = 3, 3
    SH, SW = 1, 1
    PH, PW = 1, 1

    OH = dezero.utils.get_conv_outsize(H, KH, SH, PH)
    OW = dezero.utils.get_conv_outsize(W, KW, SW, PW)
    print(OH, OW)
    assert capsys.readouterr().out == "4 4\n"


def test_padding_enlarges_and_strides_shrink_the_output() -> None:
    sizes = [dezero.utils.get_conv_outsize(7, 3, 1, pad) for pad in range(3)]
    assert sizes == [5, 7, 9]
    assert dezero.utils.get_conv_outsize(7, 3, 2, 0) == 3
